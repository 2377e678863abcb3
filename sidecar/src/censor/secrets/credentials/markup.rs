//! Documents of XML, such as Maven's `settings.xml`.

use super::keys::names_secret;
use super::values::Values;

/// Looks at the text of every element and at every attribute.
pub(super) fn of_xml(text: &str, values: &mut Values) {
    let mut rest = text;
    let mut element = String::new();
    while let Some((before, after)) = rest.split_once('<') {
        values.consider(&element, &unescaped(before.trim()));
        if let Some(data) = after.strip_prefix("![CDATA[") {
            let (data, behind) = data.split_once("]]>").unwrap_or((data, ""));
            values.consider(&element, data.trim());
            rest = behind;
            continue;
        }
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, behind)| behind);
            continue;
        }
        let (tag, behind) = after.split_once('>').unwrap_or((after, ""));
        rest = behind;
        let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        // Text behind an element belongs to none.
        name.rsplit(':').next().unwrap_or_default().clone_into(&mut element);
        attributes(&tag[name.len()..], values);
    }
}

/// Looks at attributes; `key` or `name` can give the meaning of `value`.
fn attributes(tag: &str, values: &mut Values) {
    let mut named = false;
    let mut rest = tag;
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let Some(quote) = after.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            rest = after;
            continue;
        };
        let (value, behind) = after[1..].split_once(quote).unwrap_or((&after[1..], ""));
        rest = behind;
        let name = name.split_whitespace().last().unwrap_or_default();
        let value = unescaped(value);
        if name.eq_ignore_ascii_case("key") || name.eq_ignore_ascii_case("name") {
            named = names_secret(&value);
        } else if name.eq_ignore_ascii_case("value") {
            values.consider(if named { "password" } else { "" }, &value);
        } else {
            values.consider(name, &value);
        }
    }
}

/// Replaces the entities that XML defines.
fn unescaped(text: &str) -> String {
    let all =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&#34;", "\"")];
    let text = all.iter().fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c));
    text.replace("&amp;", "&")
}
