//! The two sides' keys: ours signs, WeChat's are told apart by their serial numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use homestay_error::{Code, Error, Result};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use webpki::{EndEntityCert, RawPublicKeyEntity};

/// Header and footer of what is given as PEM.
const CERTIFICATE: &str = "CERTIFICATE";
const PUBLIC_KEY: &str = "PUBLIC KEY";

/// The merchant's private key.
pub(crate) struct MerchantKey(RsaKeyPair);

impl MerchantKey {
    /// From PKCS#8 as PEM, as the merchant platform gives it (`apiclient_key.pem`).
    pub fn from_pem(text: &str) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).ok()?;
        RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok().map(Self)
    }

    /// Base64 of the SHA256-RSA signature.
    ///
    /// # Errors
    /// [`Code::Internal`] if the system has no random numbers.
    pub fn sign(&self, message: &str) -> Result<String> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .map_err(|_| Error::internal("cannot sign"))?;
        Ok(BASE64.encode(signature))
    }
}

/// WeChat's keys that we trust, each with its serial number or `PUB_KEY_ID_…`. Several at once while they are changed.
pub(crate) struct PlatformKeys(Vec<(String, SubjectPublicKeyInfoDer<'static>)>);

impl PlatformKeys {
    /// From PEM blocks: certificates, whose serial number stands in them, and public keys, each with its `PUB_KEY_ID_…` on
    /// the line above. What is wrong with the text, otherwise.
    pub fn from_pem(text: &str) -> std::result::Result<Self, &'static str> {
        let mut keys = Vec::new();
        let (mut before, mut block) = (String::new(), String::new());
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if block.is_empty() && !line.starts_with("-----BEGIN ") {
                line.clone_into(&mut before);
                continue;
            }
            block.push_str(line);
            block.push('\n');
            if line.starts_with("-----END ") {
                keys.push(one(&before, &block)?);
                (before, block) = (String::new(), String::new());
            }
        }
        match (keys.is_empty(), block.is_empty()) {
            (_, false) => Err("a PEM block has no end"),
            (true, true) => Err("must hold a certificate or public key of WeChat Pay as PEM"),
            (false, true) => Ok(Self(keys)),
        }
    }

    /// The id WeChat is asked to answer with, if it is a public key's: certificates it chooses itself.
    pub fn wanted(&self) -> Option<&str> {
        let (id, _) = self.0.first()?;
        id.starts_with("PUB_KEY_ID_").then_some(id)
    }

    /// Checks a signature (Base64) against the key of that serial number.
    ///
    /// # Errors
    /// [`Code::BadSignature`] for a key we do not know, and for a wrong or malformed signature.
    pub fn verify(&self, serial: &str, message: &[u8], signature: &str) -> Result<()> {
        let refused = |why: &'static str| Error::new(Code::BadSignature).source(why);
        let (_, key) = self
            .0
            .iter()
            .find(|(id, _)| id.eq_ignore_ascii_case(serial))
            .ok_or_else(|| refused("signed with a key that is not configured"))?;
        let signature = BASE64
            .decode(signature)
            .map_err(|_| refused("malformed signature"))?;
        RawPublicKeyEntity::try_from(key)
            .and_then(|key| {
                key.verify_signature(webpki::ring::RSA_PKCS1_2048_8192_SHA256, message, &signature)
            })
            .map_err(|_| refused("signature of another key or message"))
    }
}

fn one(
    before: &str,
    pem: &str,
) -> std::result::Result<(String, SubjectPublicKeyInfoDer<'static>), &'static str> {
    if pem.contains(CERTIFICATE) {
        let der =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| "holds a malformed certificate")?;
        let certificate = EndEntityCert::try_from(&der).map_err(|_| "holds a malformed certificate")?;
        let serial: String = certificate
            .serial()
            .iter()
            .skip_while(|byte| **byte == 0)
            .map(|byte| format!("{byte:02X}"))
            .collect();
        usable(serial, certificate.subject_public_key_info())
    } else if pem.contains(PUBLIC_KEY) {
        if !before.starts_with("PUB_KEY_ID_") {
            return Err("a public key needs its PUB_KEY_ID_… on the line above");
        }
        let key = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "holds a malformed public key")?;
        usable(before.to_owned(), key)
    } else {
        Err("must hold nothing but certificates and public keys")
    }
}

/// Refuses at the start what could verify nothing later.
fn usable(
    id: String,
    key: SubjectPublicKeyInfoDer<'static>,
) -> std::result::Result<(String, SubjectPublicKeyInfoDer<'static>), &'static str> {
    let tried = RawPublicKeyEntity::try_from(&key)
        .map(|key| key.verify_signature(webpki::ring::RSA_PKCS1_2048_8192_SHA256, b"", &[0; 256]));
    match tried {
        Ok(Err(webpki::Error::InvalidSignatureForPublicKey)) => Ok((id, key)),
        _ => Err("holds a key that is not RSA of 2048 bits or more"),
    }
}

/// The merchant's APIv3 key, which opens what notifications carry.
pub(crate) struct ResourceKey(LessSafeKey);

impl ResourceKey {
    /// Of exactly 32 bytes.
    pub fn new(key: &str) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key.as_bytes()).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// Opens a ciphertext (Base64, with its tag at the end).
    pub fn open(&self, nonce: &str, associated: &str, ciphertext: &str) -> Option<Vec<u8>> {
        let mut text = BASE64.decode(ciphertext).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(associated.as_bytes()), &mut text)
            .ok()?
            .len();
        text.truncate(plain);
        Some(text)
    }
}
