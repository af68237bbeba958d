-- What the audit asks for: the cases about a payment.
CREATE INDEX pay_case_payment ON pay_case (payment_sn);
