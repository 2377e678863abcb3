//! The frame of each page: its head, and the rules that all pages share.
//!
//! A page asks for nothing from anywhere, and says so with a Content-Security-Policy that
//! names the hashes of its one style and, where it has one, of its one script.

use crate::escape::visible;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

/// Colours, header, links, footer: the rules that all pages have.
const STYLE: &str = include_str!("frame.css");

/// The parts of a page that differ.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Its title; what is hostile in it is made visible.
    pub title: &'a str,
    /// Its own rules, which follow those of all pages.
    pub style: &'static str,
    /// Its script; empty for none.
    pub script: &'static str,
    /// Id and name of the section that a keyboard can skip to.
    pub skip_to: (&'static str, &'static str),
}

impl Frame<'_> {
    /// The page around its content.
    pub fn around(&self, content: &Markup) -> String {
        let (id, name) = self.skip_to;
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(self.policy());
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    title { (visible(self.title)) }
                    style { (PreEscaped(STYLE)) (PreEscaped(self.style)) }
                }
                body {
                    a.skip href={ "#" (id) } { "Skip to the " (name) }
                    (content)
                    @if !self.script.is_empty() { script { (PreEscaped(self.script)) } }
                }
            }
        };
        page.into_string()
    }

    /// Nothing but the page's own style and script.
    fn policy(&self) -> String {
        let hash = |texts: [&str; 2]| {
            let texts = texts.iter().fold(Sha256::new(), |hash, text| hash.chain_update(text.as_bytes()));
            format!("'sha256-{}'", STANDARD.encode(texts.finalize()))
        };
        let script = match self.script {
            "" => String::new(),
            script => format!("; script-src {}", hash([script, ""])),
        };
        let style = hash([STYLE, self.style]);
        format!("default-src 'none'; style-src {style}{script}; base-uri 'none'; form-action 'none'")
    }
}

/// The CSS class of a result.
pub fn class(result: &str) -> &'static str {
    match result {
        "SUCCESS" => "ok",
        "FAILURE" => "bad",
        _ => "warn",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_names_what_the_page_has_and_nothing_else() {
        let frame = Frame { title: "<a>", style: "p{}", script: "", skip_to: ("x", "rest") };
        let page = frame.around(&html! { main { "text" } });
        let hash = STANDARD.encode(Sha256::digest(format!("{STYLE}p{{}}")));
        assert!(page.contains(&format!("style-src 'sha256-{hash}'; base-uri")), "{page}");
        assert!(page.contains(&format!("<style>{STYLE}p{{}}</style>")), "{page}");
        assert!(page.contains("<title>&lt;a&gt;</title>") && !page.contains("script"), "{page}");
        let scripted = Frame { script: "1", ..frame }.around(&html! {});
        let hash = STANDARD.encode(Sha256::digest("1"));
        assert!(scripted.contains(&format!("script-src 'sha256-{hash}'")), "{scripted}");
    }
}
