//! The form of a media type in the options.

/// Returns whether `text` has the form of a media type: type, slash, subtype, then
/// `;`-separated parameters (RFC 2045, as Go's `mime.ParseMediaType` reads it,
/// which lets the subtype be missing).
pub(super) fn is_media_type(text: &str) -> bool {
    let mut parts = text.splitn(2, ';');
    let kind = parts.next().unwrap_or_default().trim();
    let well_formed = match kind.split_once('/') {
        Some((kind, subtype)) => is_token(kind) && is_token(subtype),
        None => is_token(kind),
    };
    well_formed && parts.next().is_none_or(are_parameters)
}

fn are_parameters(text: &str) -> bool {
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((name, tail)) = rest.split_once('=') else { return false };
        if !is_token(name.trim()) {
            return false;
        }
        let Some(after) = after_value(tail.trim_start()) else { return false };
        rest = match after.trim_start() {
            "" => "",
            more => match more.strip_prefix(';') {
                Some(more) => more.trim_start(),
                None => return false,
            },
        };
    }
    true
}

/// Returns the text after a parameter's value, quoted or not.
fn after_value(text: &str) -> Option<&str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        return is_token(&text[..end]).then_some(&text[end..]);
    };
    let mut escaped = false;
    for (at, character) in quoted.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(&quoted[at + 1..]),
            '\r' | '\n' => return None,
            _ => {}
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !r#"()<>@,;:\"/[]?="#.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_recognised() {
        for good in ["text/plain", "text/plain; charset=utf-8", "a/b;c=\"d;e\"; f=g", "text", "a/b;"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in ["", "/", "a/", "text/plain,x:a/b", "a b/c", "a/b; c", "a/b; c=", "a/b; c=\"d", "a/b/c"] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
