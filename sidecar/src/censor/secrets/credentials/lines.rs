//! Files of lines: keys and values, `.netrc`, URLs, and `htpasswd`.

use super::values::Values;
use zeroize::Zeroizing;

/// Looks at the values of `key = value`, `key: value` and `export key=value`.
/// Returns whether all lines are of this kind, a section or a comment.
pub(super) fn of_pairs(text: &str, values: &mut Values) -> bool {
    let (mut pairs, mut others) = (0_usize, 0_usize);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';', '!', '[']) {
            continue;
        }
        let Some((key, value)) = pair(line) else {
            others += 1;
            continue;
        };
        pairs += 1;
        let mut value = Zeroizing::new(value.trim().to_owned());
        while value.ends_with('\\') && lines.peek().is_some() {
            value.pop();
            value.push_str(lines.next().unwrap_or_default().trim());
        }
        consider(key, &value, values);
    }
    pairs > 0 && others == 0
}

fn pair(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let is_key = |key: &str| !key.trim().is_empty() && !key.trim().contains(char::is_whitespace);
    let equals = line.split_once('=').filter(|(key, value)| is_key(key) && !value.trim().is_empty());
    let colon = || line.split_once(':').filter(|(key, value)| is_key(key) && !value.starts_with("//"));
    equals.or_else(colon).or_else(|| line.split_once('=').filter(|(key, _)| is_key(key)))
}

/// Looks at a value without its quotes; one without quotes ends at a comment.
fn consider(key: &str, value: &str, values: &mut Values) {
    for quote in ['"', '\''] {
        let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.rsplit_once(quote)) else {
            continue;
        };
        values.consider(key, inner.0);
        if quote == '"'
            && let Ok(text) = serde_json::from_str::<String>(&value[..inner.0.len() + 2])
        {
            values.consider(key, &Zeroizing::new(text));
        }
        return;
    }
    let end = value.find(" #").or_else(|| value.find(" ;")).unwrap_or(value.len());
    values.consider(key, &value[..end]);
}

/// Looks at the words of a `.netrc`. Returns whether it is one.
pub(super) fn of_netrc(text: &str, values: &mut Values) -> bool {
    let mut words = text.split_whitespace();
    let first = words.clone().find(|word| !word.starts_with('#'));
    if !matches!(first, Some("machine" | "default")) {
        return false;
    }
    let mut is_netrc = false;
    while let Some(word) = words.next() {
        if matches!(word, "password" | "account") {
            let value = words.next().unwrap_or_default().trim_matches('"');
            values.password(value);
            is_netrc = true;
        }
    }
    is_netrc
}

/// Looks at lines that are URLs with a user and a password, as in `.git-credentials`.
/// Returns whether all lines are.
pub(super) fn of_urls(text: &str, values: &mut Values) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    let is_url = |line: &str| {
        line.split_once("://").is_some_and(|(scheme, rest)| {
            scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
                && rest.contains('@')
        })
    };
    if lines.peek().is_none() || !lines.all(is_url) {
        return false;
    }
    text.lines().for_each(|line| values.consider("", line));
    true
}

/// Looks at lines of a user and a hashed password. Returns whether all lines are.
pub(super) fn of_htpasswd(text: &str, values: &mut Values) -> bool {
    let hash = |line: &str| {
        let (user, hash) = line.split_once(':')?;
        let is_hash = hash.starts_with('$') && hash.matches('$').count() >= 3 || hash.starts_with("{SHA}");
        (is_hash && !user.contains(char::is_whitespace)).then(|| hash.trim().to_owned())
    };
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let hashes: Vec<_> = lines().filter_map(hash).map(Zeroizing::new).collect();
    if hashes.is_empty() || hashes.len() != lines().count() {
        return false;
    }
    for hash in &hashes {
        values.add(hash);
    }
    true
}

/// Adds each private key of a PEM bundle. Returns whether it is one.
pub(super) fn of_pem(text: &str, values: &mut Values) -> bool {
    if !text.trim_start().starts_with("-----BEGIN ") {
        return false;
    }
    let mut rest = text;
    while let Some(at) = rest.find("-----BEGIN ") {
        let block = &rest[at..];
        let Some(end) = block
            .find("-----END ")
            .and_then(|end| block[end + 9..].find("-----").map(|behind| end + 9 + behind + 5))
        else {
            break;
        };
        let label = block["-----BEGIN ".len()..].split("-----").next().unwrap_or_default();
        if label.contains("PRIVATE KEY") {
            values.add(&block[..end]);
        }
        rest = &block[end..];
    }
    true
}
