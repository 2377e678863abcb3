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
use super::options::{Mode, Options};
use super::{flags, pod};
use crate::terminal::{self, Problem};
use crate::yaml::{self, Format, Meaning, Node};

/// Decorates the items of a `ResourceList`, and returns the exit status.
pub(super) fn run(format: Format, mut documents: Vec<yaml::Document>) -> Result<u8, Problem> {
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
    holder.mapping()?;
    let mut words = vec![flags::SUBCOMMAND.to_owned()];
    if !holder.key("unknown-kinds").exists() {
        words.extend(["--unknown-kinds", "pass"].map(str::to_owned));
    }
    for name in holder.member_names() {
        let field = holder.key(name);
        let values = match field.items() {
            Ok(items) if field.exists() => items,
            Ok(_) | Err(_) => vec![field.clone()],
        };
        for value in values {
            match value.meaning() {
                Some(Meaning::Bool(true)) => words.push(format!("--{name}")),
                Some(Meaning::Text("true")) if is_switch(name) => words.push(format!("--{name}")),
                Some(Meaning::Bool(false) | Meaning::Null) | None => {}
                Some(Meaning::Text("false")) if is_switch(name) => {}
                Some(_) => words.push(format!("--{name}={}", value.quantity()?.unwrap_or_default())),
            }
        }
    }
    let matches = match flags::command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            return Ok(Err(Problem::new(format!("functionConfig: {first}"))));
        }
    };
    let explain = matches.get_flag("explain");
    Ok(Options::from_matches(&matches)
        .map(|options| (options, explain))
        .map_err(|problem| Problem::new(format!("functionConfig: {}", problem.text))))
}

/// Returns whether a flag takes no value.
fn is_switch(name: &str) -> bool {
    let command = flags::command();
    let found = command.get_arguments().find(|argument| argument.get_id() == name);
    found.is_some_and(|argument| !argument.get_action().takes_values())
}
