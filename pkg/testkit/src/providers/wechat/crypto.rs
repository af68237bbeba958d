//! WeChat Pay's side of the signatures, and the seal of its notifications.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::SystemRandom;
use ring::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

/// Reads one of the keys beside this file, which serve no other purpose.
pub(super) fn key(pem: &str) -> RsaKeyPair {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).expect("a key as PEM");
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("an RSA key")
}

pub(super) fn sign(key: &RsaKeyPair, message: &[u8]) -> String {
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
        .expect("a signature");
    BASE64.encode(signature)
}

/// Whether the owner of `key` has signed the message.
pub(super) fn has_signed(key: &RsaKeyPair, message: &[u8], signature: &str) -> bool {
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref().to_vec());
    BASE64
        .decode(signature)
        .is_ok_and(|signature| public.verify(message, &signature).is_ok())
}

pub(super) fn seal(key: &str, nonce: &str, associated: &str, plain: &[u8]) -> String {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_bytes()).expect("32 bytes"));
    let mut text = plain.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).expect("12 bytes");
    key.seal_in_place_append_tag(nonce, Aad::from(associated.as_bytes()), &mut text)
        .expect("a seal");
    BASE64.encode(text)
}
