//! RSA key pair of the rogue servers. Tests decrypt recorded client packets with the private key.

use num_bigint::BigUint;
use sha1::{Digest, Sha1};

pub(super) const PUBLIC_KEY_PEM: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA78vzKiT80JGCUg6zyt5B\n\
lrEEU8xr0uSf2FmEM5LAWrW3580X0IF5utba0P/jBNsQpQoKzyn3AE1JpdoYBDU+\n\
zcYndZjM2ausI4zFDZ9KHeKZmnZYeau+aDOupq/x6pJx4VL75vcJ/ygqdTajBEBl\n\
tY0Qa0lPjAK+LN4UthPUFn/wdX7ghcC4+csI4UZVtZHJbw04vBIS/QrKMXZmjDXM\n\
nK0JlPh1Uqt2BfdNj2k0mAI2mfY+dxmU08vNBEAE68cHMtXxBPvA3cFH6UbdjKnv\n\
8fuIjbOFfjGIGvBqWSNSrTWtbTquQAyB7Z3z8d1DalVnnnnLYcHxL5zAPI1rztHd\n\
iQIDAQAB\n\
-----END PUBLIC KEY-----\n\
";

const RSA_MODULUS_HEX: &str = concat!(
    "efcbf32a24fcd09182520eb3cade4196b10453cc6bd2e49fd859843392c05ab5b7e7cd17d08179bad6dad0ffe304db10a50a0acf",
    "29f7004d49a5da1804353ecdc6277598ccd9abac238cc50d9f4a1de2999a765879abbe6833aea6aff1ea9271e152fbe6f709ff28",
    "2a7536a3044065b58d106b494f8c02be2cde14b613d4167ff0757ee085c0b8f9cb08e14655b591c96f0d38bc1212fd0aca317666",
    "8c35cc9cad0994f87552ab7605f74d8f693498023699f63e771994d3cbcd044004ebc70732d5f104fbc0ddc147e946dd8ca9eff1",
    "fb888db3857e31881af06a592352ad35ad6d3aae400c81ed9df3f1dd436a55679e79cb61c1f12f9cc03c8d6bced1dd89",
);
const RSA_PRIVATE_EXPONENT_HEX: &str = concat!(
    "5eb899cf7277d8ed3964af810ea817916e500ec7e769913ca0c9cf624ddc2498b651de9e4312f9e2375f8d021f0b3a7b4b2df9d2",
    "163a06c900c7fe2bd171b4e2b49cbea3827b9307f6acf2e3ac21ab4768b46e7e0965b15b58daeae60231cdf224f6d2214c410b24",
    "b30cc4edc4cea93e7b3fda99454e41811c9906e65b53c224b89fe53d606bea4340fa82e62dd73501234cc00522cb530cbddce475",
    "5360e78748646cbc2317641ffde424bbb7197dd11757e77b6bb4993049c1192fc0031206321c616c429cec27ec7d5b6cc25914e9",
    "eb983f569cb946e552ec7a29be39bbce1dc4682801bb7db624fc513e217941415964d0e93225413f2a456806e542cdff",
);

const RSA_BLOCK_LEN: usize = 256;
const OAEP_HASH_LEN: usize = 20;

/// Decrypts an RSA block that has OAEP padding (RFC 8017, section 7.1.2) and an empty label.
pub(super) fn decrypt_oaep_block(block: &[u8]) -> Option<Vec<u8>> {
    if block.len() != RSA_BLOCK_LEN {
        return None;
    }
    let number = |hex: &str| BigUint::parse_bytes(hex.as_bytes(), 16);
    let padded = BigUint::from_bytes_be(block)
        .modpow(&number(RSA_PRIVATE_EXPONENT_HEX)?, &number(RSA_MODULUS_HEX)?)
        .to_bytes_be();
    // The big integer omits the leading zero byte of the block.
    let (masked_seed, masked) = padded.split_at_checked(OAEP_HASH_LEN)?;
    let seed = xor_bytes(masked_seed, &generate_oaep_mask(masked, OAEP_HASH_LEN));
    let data = xor_bytes(masked, &generate_oaep_mask(&seed, masked.len()));
    let (hash, message) = data.split_at_checked(OAEP_HASH_LEN)?;
    if padded.len() != RSA_BLOCK_LEN - 1 || hash != Sha1::digest(b"").as_slice() {
        return None;
    }
    let start = message.iter().position(|byte| *byte == 1)? + 1;
    message.get(start..).map(<[u8]>::to_vec)
}

fn generate_oaep_mask(seed: &[u8], length: usize) -> Vec<u8> {
    let blocks = (0_u32..).map(|number| Sha1::new().chain_update(seed).chain_update(number.to_be_bytes()).finalize());
    let mut mask: Vec<u8> = blocks.take(length.div_ceil(OAEP_HASH_LEN)).flatten().collect();
    mask.truncate(length);
    mask
}

fn xor_bytes(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}
