//! The version, with the commit that it was built from.

/// As `--version` prints it: `0.1.0 (1ad4efb0c2d1)`, or `0.1.0` where nobody
/// knows the commit (`build.rs` says who does).
pub const VERSION: &str = env!("POD_UTILS_VERSION");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_packages_with_a_commit_at_most() {
        let rest = VERSION.strip_prefix(env!("CARGO_PKG_VERSION")).expect("the package's version");
        let commit = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')'));
        assert!(rest.is_empty() || commit.is_some_and(|commit| !commit.is_empty()), "{VERSION}");
    }
}
