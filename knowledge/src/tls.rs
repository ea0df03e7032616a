//! Which cryptography library TLS uses.

/// Chooses for the whole process, unless that is done already. Two libraries are linked in, so rustls does not choose by
/// itself: whoever connects with its defaults before this was called panics.
pub fn choose_library() {
    // Fails only if the choice was made before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
