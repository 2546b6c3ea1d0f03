//! What two builds of this crate have to agree on before they talk.

/// Says which protocol this build speaks: a hash of the files that make it up, so that nobody has to
/// remember to count. A component that was built by itself has to speak its system's. What lies in
/// shared memory is not part of it.
pub(crate) const PROTOCOL: u64 = {
    let files: [&[u8]; 4] = [
        include_bytes!("request.rs"),
        include_bytes!("wire.rs"),
        include_bytes!("bell.rs"),
        include_bytes!("board.rs"),
    ];
    let (mut hash, mut file) = (0xcbf2_9ce4_8422_2325, 0);
    while file < files.len() {
        hash = fnv(hash, files[file]);
        file += 1;
    }
    hash
};

/// FNV-1a, of 64 bits.
const fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that its authors give.
    #[test]
    fn it_is_the_hash_that_it_is_said_to_be() {
        let start = 0xcbf2_9ce4_8422_2325;
        assert_eq!(fnv(start, b""), start);
        assert_eq!(fnv(start, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv(start, b"foobar"), 0x8594_4171_f739_67e8);
    }
}
