//! What the processor can do, of what the cipher, the hash and the C library choose their code by.

/// The argument that makes this binary print it and end.
pub const WORD: &str = "processor";

#[cfg(target_arch = "x86_64")]
pub fn abilities() -> String {
    macro_rules! detected {
        ($($name:tt)*) => {
            [$(($name, std::arch::is_x86_feature_detected!($name))),*]
        };
    }
    let abilities = detected!(
        "adx" "aes" "avx" "avx2" "avx512f" "avx512vl" "bmi1" "bmi2" "fma" "lzcnt" "movbe" "pclmulqdq" "popcnt"
        "sha" "sse3" "sse4.1" "sse4.2" "ssse3" "vaes"
    );
    describe(&abilities)
}

#[cfg(target_arch = "aarch64")]
pub fn abilities() -> String {
    macro_rules! detected {
        ($($name:tt)*) => {
            [$(($name, std::arch::is_aarch64_feature_detected!($name))),*]
        };
    }
    describe(&detected!("aes" "neon" "pmull" "sha2" "sha3" "sve"))
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn abilities() -> String {
    describe(&[])
}

fn describe(abilities: &[(&str, bool)]) -> String {
    let has = abilities.iter().filter(|(_, has)| *has);
    let names = has.map(|(name, _)| *name);
    let words: Vec<&str> = [std::env::consts::ARCH].into_iter().chain(names).collect();
    words.join(" ")
}
