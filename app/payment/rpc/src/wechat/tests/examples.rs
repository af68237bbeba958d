//! Published examples: those with which the official Go and Java SDKs (wechatpay-go 0.2, wechatpay-java) test themselves.

use crate::wechat::keys::{MerchantKey, PlatformKeys, ResourceKey};

/// Signature of `source` with the SDK's testing key.
const SIGNATURE: &str = "BKyAfU4iMCuvXMXS0Wzam3V/cnxZ+JaqigPM5OhljS2iOT95OO6Fsuml2JkFANJU9K6q9bLlDhPXuoVz+pp4hAm6pHU4ld815U4jsKu1RkyaII+1CYBUYC8TK0XtJ8FwUXXz8vZHh58rrAVN1XwNyvD1vfpxrMT4SL536GLwvpUHlCqIMzoZUguLli/K8V29QiOhuH6IEqLNJn8e9b3nwNcQ7be3CzYGpDAKBfDGPCqCv8Rw5zndhlffk2FEA70G4hvMwe51qMN/RAJbknXG23bSlObuTCN7Ndj1aJGH6/L+hdwfLpUtJm4QYVazzW7DFD27EpSQEqA8bX9+8m1rLg==";

/// Signature of the notification below.
const NOTIFIED: &str = "tJHIiIS9eB2hAYstmAmbbD3ZE5LiIm/Ug5tuL4fC0YOFRWIHV39UFIZXC0e9Wl6lBu6sKvkqDkzpqzBsVHyXFlbYZTOQrVdG4b6LfTnK4mikv9++ixJMd3vTf2yCqvBkh98zs3Ds5zsYQakzbcwhmw4fMJs4nPLws28H0UW9FjDR//rxELLwXvV1VEA1IBLX70xptjL8hrfUjEE8kkry6yNJTHZRU8CAc7qHli2Ng1V1qb9ARbK8A3ThmFmPQvRGrapI/jS2laKKgYUmfdEdkNO6B2Cke5e8VTxY406ArAmQ90GAihDwIcb16TQMnzCMBoutnwZKNiKRACrFmtxw2Q==";
const BODY: &str = r#"{"id":"3119dfba-e649-5eec-ab1e-3412bc4d2e17","create_time":"2021-06-24T16:37:26+08:00","resource_type":"encrypt-resource","event_type":"PAYSCORE.USER_OPEN_SERVICE","summary":"签约成功","resource":{"original_type":"payscore","algorithm":"AEAD_AES_256_GCM","ciphertext":"YDS3lKPaC4Y52Gf3uhft5qUBlIa8b428AWTtTauHQfQrRw+X1WpiuHIDy0vo1Vd6VEq67aVyqPdDYMkRVSDaZL3iZttevRMOoPKMifozg6XPWjIZumks/GpT48lI4NizyeaqLBokNebthah3o1H76qSlO9NkDjp9bzmKLEYYH9TEklFUpsvPqOTOcgSLgh21YJXYR7dEBXFgRLiNIKRgO5JdXh1hccRUAlyVWxE54PXpnQ==","associated_data":"payscore","nonce":"Kj7QIyUiYx1q"}}"#;

#[test]
fn requests_are_signed_as_the_sdk_signs_them() {
    let pem = include_str!("sdk/testing-key.pem").replace("TESTING KEY", "PRIVATE KEY");
    let key = MerchantKey::from_pem(&pem).unwrap();
    assert_eq!(key.sign("source").unwrap(), SIGNATURE);
}

#[test]
fn signatures_are_verified_by_the_certificate_whose_serial_number_they_name() {
    let keys = PlatformKeys::from_pem(include_str!("sdk/verifier.crt.pem")).unwrap();
    let table = [
        ("F5765756002FDD77", "source", SIGNATURE, true),
        ("f5765756002fdd77", "source", SIGNATURE, true),
        ("F5765756002FDD77", "wrong source", SIGNATURE, false),
        ("F5765756002FDD78", "source", SIGNATURE, false),
        ("", "source", SIGNATURE, false),
        ("F5765756002FDD77", "source", "", false),
        ("F5765756002FDD77", "source", "not base64", false),
        ("F5765756002FDD77", "source", &NOTIFIED[..40], false),
    ];
    for (serial, message, signature, good) in table {
        let verified = keys.verify(serial, message.as_bytes(), signature);
        assert_eq!(verified.is_ok(), good, "{serial} {message} {signature}");
    }
    assert!(keys.wanted().is_none());
}

#[test]
fn a_notification_of_the_sdks_passes_and_not_with_a_letter_changed() {
    let keys = PlatformKeys::from_pem(include_str!("sdk/notify.crt.pem")).unwrap();
    let message = |body: &str| format!("1624523846\nEcZ9Cmy4Xyx1i6RlJQzLcCyEqDa26NBz\n{body}\n");
    keys.verify("D7CE59D1F522D701", message(BODY).as_bytes(), NOTIFIED)
        .unwrap();
    let tampered = message(&BODY.replace("签约成功", "签约失败"));
    assert!(
        keys.verify("D7CE59D1F522D701", tampered.as_bytes(), NOTIFIED)
            .is_err()
    );
}

#[test]
fn resources_are_opened_as_the_sdk_seals_them() {
    let key = ResourceKey::new("a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb").unwrap();
    let sealed = "ulwSiIajGClcvcOYvOQ7+l+0PAbzzwI=";
    assert_eq!(
        key.open("uluk4a9R25RW", "associatedData", sealed).unwrap(),
        b"message"
    );
    for (nonce, associated, sealed) in [
        ("uluk4a9R25RX", "associatedData", sealed),
        ("uluk4a9R25R", "associatedData", sealed),
        ("", "associatedData", sealed),
        ("uluk4a9R25RW", "", sealed),
        (
            "uluk4a9R25RW",
            "associatedData",
            "ulwSiIajGClcvcOYvOQ7+l+0PAbzzwM=",
        ),
        ("uluk4a9R25RW", "associatedData", ""),
        ("uluk4a9R25RW", "associatedData", "ulwS"),
        ("uluk4a9R25RW", "associatedData", "§"),
    ] {
        assert_eq!(key.open(nonce, associated, sealed), None);
    }
    assert!(ResourceKey::new("16 bytes of key!").is_none());
}
