//! Identifiers in AWS's forms. One generator a world, seedable so that a run can be repeated.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use uuid::Uuid;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const LOWER: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Makes identifiers. Cheap to clone; clones share one stream of randomness.
#[derive(Clone, Debug)]
pub struct Ids(Arc<Mutex<StdRng>>);

impl Ids {
    /// From the operating system's randomness.
    pub fn random() -> Self {
        Self::with(StdRng::from_os_rng())
    }

    /// The same seed gives the same identifiers in the same order.
    pub fn seeded(seed: u64) -> Self {
        Self::with(StdRng::seed_from_u64(seed))
    }

    fn with(rng: StdRng) -> Self {
        Self(Arc::new(Mutex::new(rng)))
    }

    fn rng<T>(&self, f: impl FnOnce(&mut StdRng) -> T) -> T {
        // A poisoned generator is still a generator.
        f(&mut self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn pick(&self, alphabet: &[u8], n: usize) -> String {
        self.rng(|rng| {
            (0..n)
                .map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())]))
                .collect()
        })
    }

    /// A number in `0..bound`.
    pub fn below(&self, bound: u64) -> u64 {
        self.rng(|rng| rng.random_range(0..bound.max(1)))
    }

    /// A version 4 UUID.
    pub fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.rng(|rng| rng.fill_bytes(&mut bytes));
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// `a-` and 17 lower-case alphanumerics, as EKS names associations. Source: threads (four real ids).
    pub fn association(&self) -> String {
        format!("a-{}", self.pick(LOWER, 17))
    }

    /// `AROA` and 17 characters of base32: a role's unique id. Source: snapshots.
    pub fn role(&self) -> String {
        format!("AROA{}", self.pick(BASE32, 17))
    }

    /// `AIDA` and 17 characters of base32: a user's unique id.
    pub fn user(&self) -> String {
        format!("AIDA{}", self.pick(BASE32, 17))
    }

    /// `ANPA` and 17 characters of base32: a managed policy's id.
    pub fn policy(&self) -> String {
        format!("ANPA{}", self.pick(BASE32, 17))
    }

    /// A temporary access key id (`ASIA`, 20 characters) that carries the account, as real ones do.
    pub fn session_key(&self, account: &str) -> String {
        self.access_key("ASIA", account)
    }

    /// A long-term access key id (`AKIA`, 20 characters) that carries the account, as real ones do.
    pub fn long_term_key(&self, account: &str) -> String {
        self.access_key("AKIA", account)
    }

    // Characters 5 to 20 are base32 of ten bytes; bits 7..47 of the first six are the account (aws-side.md, A.1).
    fn access_key(&self, prefix: &str, account: &str) -> String {
        let number: u64 = account.parse().unwrap_or(0);
        let mut bytes = [0u8; 10];
        self.rng(|rng| rng.fill_bytes(&mut bytes));
        let low = u64::from(bytes[5] & 0x7f);
        let head = 0x8000_0000_0000u64 | ((number << 7) & 0x7fff_ffff_ff80) | low;
        bytes[..6].copy_from_slice(&head.to_be_bytes()[2..]);
        format!("{prefix}{}", base32(&bytes))
    }

    /// 40 characters of `[A-Za-z0-9+/]`.
    pub fn secret_key(&self) -> String {
        let mut bytes = [0; 30];
        self.rng(|rng| rng.fill_bytes(&mut bytes));
        STANDARD.encode(bytes)
    }

    /// A session token: opaque base64 text of some hundred characters, beginning as real ones do.
    pub fn session_token(&self) -> String {
        let mut bytes = [0; 270];
        self.rng(|rng| rng.fill_bytes(&mut bytes));
        format!("IQoJb3JpZ2luX2Vj{}", STANDARD.encode(bytes))
    }

    /// 32 upper-case hexadecimal digits: the tail of an EKS issuer URL.
    pub fn issuer(&self) -> String {
        self.pick(b"0123456789ABCDEF", 32)
    }
}

/// The account number inside an access key id, or nothing if the id does not have the form.
pub fn account_of_access_key(id: &str) -> Option<String> {
    let tail = id.get(4..20)?;
    let mut bits = 0u128;
    for c in tail.bytes() {
        let value = BASE32.iter().position(|b| *b == c)?;
        bits = (bits << 5) | value as u128;
    }
    let head = (bits >> 32) as u64 & 0xffff_ffff_ffff;
    Some(format!("{:012}", (head & 0x7fff_ffff_ff80) >> 7))
}

fn base32(bytes: &[u8; 10]) -> String {
    let bits = bytes
        .iter()
        .fold(0u128, |acc, b| (acc << 8) | u128::from(*b));
    (0..16)
        .rev()
        .map(|i| char::from(BASE32[(bits >> (i * 5)) as usize & 31]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_carry_their_account() {
        let ids = Ids::seeded(1);
        for account in ["000000000000", "111122223333", "999999999999"] {
            let key = ids.session_key(account);
            assert_eq!(key.len(), 20);
            assert_eq!(
                account_of_access_key(&key).as_deref(),
                Some(account),
                "{key}"
            );
        }
    }

    #[test]
    fn forms() {
        let ids = Ids::random();
        assert_eq!(ids.association().len(), 19);
        assert_eq!(ids.role().len(), 21);
        assert_eq!(ids.secret_key().len(), 40);
        assert!(ids.session_token().len() > 100);
        assert_eq!(ids.uuid().get_version_num(), 4);
    }

    #[test]
    fn a_seed_repeats() {
        assert_eq!(Ids::seeded(7).role(), Ids::seeded(7).role());
        assert_ne!(Ids::seeded(7).role(), Ids::seeded(8).role());
    }
}
