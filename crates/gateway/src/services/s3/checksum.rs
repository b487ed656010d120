//! Checksums of contents: those that were sent are verified, one is always kept.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use emu_cloud::{
    ServiceError,
    s3::{Checksum, Part, Upload},
};
use http::HeaderMap;
use md5::{Digest as _, Md5};
use s3s::{
    crypto::{self, Checksum as _},
    dto,
};

/// The algorithms, by the word in `x-amz-checksum-algorithm`.
const ALGORITHMS: [&str; 5] = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];

fn digest(algorithm: &str, data: &[u8]) -> Option<Vec<u8>> {
    Some(match algorithm {
        "CRC32" => crypto::Crc32::checksum(data).to_vec(),
        "CRC32C" => crypto::Crc32c::checksum(data).to_vec(),
        "CRC64NVME" => crypto::Crc64Nvme::checksum(data).to_vec(),
        "SHA1" => crypto::Sha1::checksum(data).as_ref().to_vec(),
        "SHA256" => crypto::Sha256::checksum(data).as_ref().to_vec(),
        _ => return None,
    })
}

/// Verifies `Content-MD5` and `x-amz-checksum-*`, and gives the checksum to keep: the one sent, or CRC64NVME, as S3
/// makes one itself (docs).
pub(super) fn verify(
    headers: &HeaderMap,
    data: &[u8],
    default: &str,
) -> Result<Checksum, ServiceError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(sent) = header("content-md5") {
        // snapshot
        match STANDARD.decode(sent) {
            Ok(sent) if sent.len() == 16 => {
                if sent != Md5::digest(data).to_vec() {
                    return Err(ServiceError::new(
                        "BadDigest",
                        400,
                        "The Content-MD5 you specified did not match what we received.",
                    ));
                }
            }
            _ => {
                return Err(ServiceError::new(
                    "InvalidDigest",
                    400,
                    "The Content-MD5 you specified was invalid.",
                ));
            }
        }
    }
    for algorithm in ALGORITHMS {
        let name = format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase());
        let Some(sent) = header(&name) else {
            continue;
        };
        let computed = digest(algorithm, data).unwrap_or_default();
        if !STANDARD
            .decode(sent)
            .is_ok_and(|sent| sent.len() == computed.len())
        {
            // snapshot
            return Err(ServiceError::new(
                "InvalidRequest",
                400,
                format!("Value for {name} header is invalid."),
            ));
        }
        let computed = STANDARD.encode(computed);
        if computed != sent {
            // docs
            return Err(ServiceError::new(
                "BadDigest",
                400,
                format!("The {algorithm} you specified did not match the calculated checksum."),
            ));
        }
        return Ok(Checksum {
            algorithm: algorithm.into(),
            value: computed,
        });
    }
    Ok(whole(default, data))
}

/// The checksum of a whole content.
pub(super) fn whole(algorithm: &str, data: &[u8]) -> Checksum {
    let algorithm = if ALGORITHMS.contains(&algorithm) {
        algorithm
    } else {
        "CRC64NVME"
    };
    Checksum {
        algorithm: algorithm.into(),
        value: STANDARD.encode(digest(algorithm, data).unwrap_or_default()),
    }
}

/// The checksum of a completed upload: of the whole content, or of the parts' checksums.
pub(super) fn of_upload(upload: &Upload, parts: &[&Part], data: &[u8]) -> Checksum {
    let (algorithm, full) = upload
        .checksum
        .clone()
        .unwrap_or_else(|| ("CRC64NVME".into(), true));
    if full {
        return whole(&algorithm, data);
    }
    let joined: Vec<u8> = parts
        .iter()
        .filter_map(|part| digest(&algorithm, &part.data))
        .flatten()
        .collect();
    let mut checksum = whole(&algorithm, &joined);
    checksum.value = format!("{}-{}", checksum.value, parts.len());
    checksum
}

/// The checksum in the member of its algorithm.
pub(super) fn members(checksum: Option<&Checksum>) -> dto::Checksum {
    let mut members = dto::Checksum::default();
    let Some(Checksum { algorithm, value }) = checksum else {
        return members;
    };
    let member = match algorithm.as_str() {
        "CRC32" => &mut members.checksum_crc32,
        "CRC32C" => &mut members.checksum_crc32c,
        "SHA1" => &mut members.checksum_sha1,
        "SHA256" => &mut members.checksum_sha256,
        _ => &mut members.checksum_crc64nvme,
    };
    *member = Some(value.clone());
    let kind = if value.contains('-') {
        dto::ChecksumType::COMPOSITE
    } else {
        dto::ChecksumType::FULL_OBJECT
    };
    members.checksum_type = Some(dto::ChecksumType::from_static(kind));
    members
}
