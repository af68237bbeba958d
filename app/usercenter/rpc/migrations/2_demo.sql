-- 1: an account of the demo, whose password everybody knows. It signs in only where demo: true.
ALTER TABLE app_user ADD COLUMN demo BIGINT NOT NULL DEFAULT 0;

-- Those that were made before there was a mark: the four that have a password.
UPDATE app_user SET demo = 1 WHERE
    (mobile = '13800000001' AND nickname = 'Lin the guest')
    OR (mobile = '13800000002' AND nickname = '阿青 Aqing')
    OR (mobile = '13800000003' AND nickname = 'Night desk')
    OR (mobile = '13800000004' AND nickname = 'Front office');
