//! Keeping what looks like a secret from being printed: a command can carry one.

/// Words in the name of a flag or variable whose value is a secret.
const SECRET_NAMES: [&str; 9] =
    ["password", "passwd", "token", "secret", "credential", "auth", "api-key", "apikey", "_key"];

/// Placeholder for a secret.
const HIDDEN: &str = "***";

/// The words of a command, with `***` for the values of flags and variables with
/// telling names, and for user information in URLs.
pub(super) fn words(words: &[String]) -> Vec<String> {
    let mut value_is_secret = false;
    let mut shown = Vec::new();
    for word in words {
        let hides_next = word.starts_with('-') && !word.contains('=') && is_secret_name(word);
        shown.push(match word.split_once('=') {
            _ if value_is_secret && !word.starts_with('-') => HIDDEN.to_owned(),
            Some((name, _)) if is_secret_name(name) => format!("{name}={HIDDEN}"),
            Some(_) | None => text(word),
        });
        value_is_secret = hides_next;
    }
    shown
}

/// A text with `***` for user information in URLs.
pub(super) fn text(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find(['/', ' ', '"', '?', '#', '\'']).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) => {
                shown.push_str(HIDDEN);
                &after[at..]
            }
            None => after,
        };
    }
    shown.push_str(rest);
    shown
}

/// Names of files are no secrets, whatever is in them.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let is_place = ["-file", "_file", "-path", "_path", "-dir", "_dir", "directory"];
    !is_place.iter().any(|end| name.ends_with(end)) && SECRET_NAMES.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_secret_is_hidden() {
        let all = [
            "x",
            "--token-file=/t",
            "--auth",
            "abc",
            "--auth",
            "--v",
            "KEY=v",
            "GITHUB_TOKEN=v",
            "make -C=d",
        ];
        let shown = words(&all.map(str::to_owned));
        let expected = [
            "x",
            "--token-file=/t",
            "--auth",
            "***",
            "--auth",
            "--v",
            "KEY=v",
            "GITHUB_TOKEN=***",
            "make -C=d",
        ];
        assert_eq!(shown, expected);
        assert_eq!(
            text("git clone https://user:pass@host/x and http://b/@x"),
            "git clone https://***@host/x and http://b/@x"
        );
    }
}
