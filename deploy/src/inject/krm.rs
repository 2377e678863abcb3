//! `podutils inject --krm`: a function of Kustomize's and kpt's pipelines.
//!
//! The input is one `ResourceList` (KRM Functions Specification). Its items are
//! decorated in place; the mapping `spec` (or `data`) of its `functionConfig` has
//! the options by the names of the flags:
//!
//! ```yaml
//! apiVersion: pod-utils/v1
//! kind: Inject
//! metadata: {name: ci}
//! spec: {out: s3://ci, image-prefix: registry.example/pod-utils, container: [test], native-sidecar: true}
//! ```

use super::field_path::{FieldPath, Finding};
use super::named_options::NamedOptions;
use super::options::{Mode, Options};
use super::pod;
use crate::terminal::{self, Problem};
use crate::yaml::{self, Format, Node};

/// Decorates the items of a `ResourceList`, and returns the exit status.
pub(super) fn run(format: Format, mut documents: Vec<yaml::Document<'_>>) -> Result<u8, Problem> {
    let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
        return Err(Problem::new("--krm takes one ResourceList, not several documents"));
    };
    let mut root = document.node;
    let (options, explain) =
        options(&root).map_err(|finding| Problem::new(terminal::harmless(&finding.to_string())))??;
    let Mode::Inject { decoration, .. } = &options.mode else {
        return Err(Problem::new("functionConfig: check and krm are no options of a function"));
    };
    let mut lines = Vec::new();
    let mut errors = Vec::new();
    let items = root.as_map_mut().and_then(|map| map.slot("items").as_list_mut());
    for (index, item) in items.into_iter().flatten().enumerate() {
        let about = |finding: &Finding| terminal::harmless(&format!("items[{index}], {finding}"));
        match super::inject(item, decoration, &options.search) {
            Ok(None) => {}
            Ok(Some(pod::Outcome { changes, warnings, .. })) => {
                lines.extend(changes.iter().filter(|_| explain).map(about));
                lines.extend(warnings.iter().map(|warning| format!("warning: {}", about(warning))));
            }
            Err(findings) => errors.extend(findings.iter().map(about)),
        }
    }
    for line in lines.iter().filter(|_| errors.is_empty()) {
        terminal::line(line);
    }
    for error in &errors {
        terminal::raw(&format!("error: {error}"));
    }
    if !errors.is_empty() {
        return Ok(common::codes::EXIT_FAILURE);
    }
    let text = match format {
        Format::Yaml => yaml::to_yaml(&root),
        Format::Json => yaml::to_json(&root),
    };
    terminal::print(text.as_bytes())?;
    Ok(0)
}

/// Reads the options from the `functionConfig`, and whether changes are listed.
fn options(root: &Node) -> Result<Result<(Options, bool), Problem>, Finding> {
    let root = FieldPath::root(root, "");
    if root.key("kind").text()?.as_deref() != Some("ResourceList") {
        return Err(root.key("kind").finding("--krm takes a ResourceList, as Kustomize and kpt send it"));
    }
    let config = root.key("functionConfig");
    let holder = if config.key("spec").exists() { config.key("spec") } else { config.key("data") };
    let mut named = NamedOptions::read(&holder)?;
    if !named.contains("unknown-kinds") {
        named.push("unknown-kinds", Some("pass".to_owned()));
    }
    let about = |problem: Problem| Problem::new(format!("functionConfig: {}", problem.text));
    let matches = match named.matches() {
        Ok(matches) => matches,
        Err(problem) => return Ok(Err(about(problem))),
    };
    let explain = matches.get_flag("explain");
    Ok(Options::from_matches(&matches).map(|options| (options, explain)).map_err(about))
}
