//! Imports point one way: between the modules of a crate there are no circles but
//! the natural ones, nothing reaches up to a crate's root, and the pure modules
//! reach neither the I/O layer nor a runtime.
//!
//! Siblings are compared: an import counts for the two modules that lie side by side
//! on the way to importer and imported one. A module and what lies within it belong
//! together, so that a submodule may use what its parent defines.

use super::rust_source::{Path, Source, sources_of};
use super::{is_comment, mentions, root, sources};
use std::collections::{BTreeMap, BTreeSet};

const CRATES: [&str; 7] =
    ["common", "common/page", "entrypoint", "sidecar", "sidecar/engine", "entrypoint-wrapper", "deploy"];

/// Circles that stay, by the module around them: states lead to each other, and containers
/// lie within containers.
const NATURAL: [(&str, &str); 2] = [("entrypoint", "supervise"), ("sidecar", "censor::archive")];

/// A module, the crate it is in, and what it may not reach.
type Pure = (&'static str, &'static str, &'static [&'static str]);

/// The runtime, the network, other processes and the monotonic clock.
const RUNTIME: &[&str] =
    &["tokio", "object_store", "reqwest", "std::net", "process::Command", "std::thread", "Instant::now"];

/// The same, and files.
const RUNTIME_AND_FILES: &[&str] = &[
    "tokio",
    "object_store",
    "reqwest",
    "rustix",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "Instant::now",
];

const PURE: [Pure; 6] = [
    ("common", "", RUNTIME),
    ("common/page", "", RUNTIME_AND_FILES),
    ("sidecar", "layout", RUNTIME_AND_FILES),
    ("sidecar", "junit", RUNTIME_AND_FILES),
    ("sidecar", "destination", RUNTIME_AND_FILES),
    ("sidecar", "censor", RUNTIME),
];

/// Modules without I/O, and the modules with it or above it, which they may not import.
const BELOW_IO: [(&str, &[&str], &[&str]); 2] = [
    ("entrypoint", &["supervise"], &["io", "sys", "options"]),
    (
        "sidecar",
        &["censor", "deliver", "destination", "junit", "layout"],
        &["io", "settings", "cli", "initupload", "gcsupload", "upload_job"],
    ),
];

/// One import: from a module to a module, and the line it stands in.
#[derive(Clone, Debug)]
struct Import {
    from: Path,
    to: Path,
    place: String,
}

fn imports(sources: &[Source]) -> Vec<Import> {
    let modules: BTreeMap<&Path, &Source> = sources.iter().map(|source| (&source.module, source)).collect();
    let mut imports = Vec::new();
    for source in sources {
        for (line, path) in &source.paths {
            let Some(to) = resolve(&modules, &source.module, path) else { continue };
            let place = format!("{}:{line}", source.file.display());
            imports.push(Import { from: source.module.clone(), to, place });
        }
    }
    imports
}

/// The module that a path leads to, through re-exports; `None` for other crates.
fn resolve(modules: &BTreeMap<&Path, &Source>, from: &Path, path: &[String]) -> Option<Path> {
    let mut at = from.clone();
    let mut rest = path;
    match path.first().map(String::as_str) {
        Some("crate") => at.clear(),
        Some("self" | "super") => {}
        Some(first) if modules.contains_key(&[from.as_slice(), &[first.to_owned()]].concat()) => {}
        _ => return None,
    }
    while let Some((first, more)) = rest.split_first() {
        match first.as_str() {
            "crate" | "self" => {}
            "super" => {
                at.pop();
            }
            name => {
                let below = [at.as_slice(), &[name.to_owned()]].concat();
                if modules.contains_key(&below) {
                    at = below;
                } else {
                    let target = modules.get(&at).and_then(|module| module.reexports.get(name));
                    return target.and_then(|path| resolve(modules, &at, path)).or(Some(at));
                }
            }
        }
        rest = more;
    }
    Some(at)
}

/// The two siblings that an import connects; `None` within one family.
fn siblings(import: &Import) -> Option<(Path, Path)> {
    let common = import.from.iter().zip(&import.to).take_while(|(a, b)| a == b).count();
    let inside = import.from.len() > common && import.to.len() > common;
    inside.then(|| (import.from[..=common].to_vec(), import.to[..=common].to_vec()))
}

/// Siblings that can reach each other, with the imports that connect them.
fn circles(imports: &[Import]) -> Vec<(BTreeSet<Path>, Vec<String>)> {
    let edges: Vec<(Path, Path, &Import)> =
        imports.iter().filter_map(|import| siblings(import).map(|(from, to)| (from, to, import))).collect();
    let reach = |start: &Path| {
        let mut seen = BTreeSet::new();
        let mut open = vec![start.clone()];
        while let Some(next) = open.pop() {
            for (_, to, _) in edges.iter().filter(|(from, ..)| *from == next) {
                if seen.insert(to.clone()) {
                    open.push(to.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<Path, BTreeSet<Path>> =
        edges.iter().map(|(from, ..)| (from.clone(), reach(from))).collect();
    let together = |a: &Path, b: &Path| {
        reached.get(a).is_some_and(|to| to.contains(b)) && reached.get(b).is_some_and(|to| to.contains(a))
    };
    let mut found: Vec<(BTreeSet<Path>, Vec<String>)> = Vec::new();
    for module in reached.keys().filter(|module| together(module, module)) {
        if found.iter().any(|(members, _)| members.contains(module)) {
            continue;
        }
        let members: BTreeSet<Path> =
            reached.keys().filter(|other| together(module, other)).cloned().collect();
        let inside = edges.iter().filter(|(from, to, _)| members.contains(from) && members.contains(to));
        let lines = inside.map(|(from, to, import)| {
            format!("  {} -> {} at {}", from.join("::"), to.join("::"), import.place)
        });
        found.push((members.clone(), lines.collect()));
    }
    found
}

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    for name in CRATES {
        let sources = sources_of(&root().join(name).join("src"));
        assert!(!sources.is_empty(), "{name} is gone");
        let imports = imports(&sources);
        for import in &imports {
            if import.to.is_empty() && !import.from.is_empty() {
                wrong.push(format!("{} imports from the root of its crate", import.place));
            }
        }
        for (members, lines) in circles(&imports) {
            let around = members.first().map(|path| path[..path.len() - 1].join("::")).unwrap_or_default();
            if !NATURAL.contains(&(name, &around)) {
                let members: Vec<_> = members.iter().map(|path| path.join("::")).collect();
                wrong.push(format!("a circle in {name}: {}\n{}", members.join(", "), lines.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_stay_below_io() {
    for (name, pure, above) in BELOW_IO {
        let sources = sources_of(&root().join(name).join("src"));
        let within = |path: &Path, modules: &[&str]| {
            path.first().is_some_and(|first| modules.contains(&first.as_str()))
        };
        for module in pure {
            assert!(sources.iter().any(|source| source.module == [*module]), "{name}: {module} is gone");
        }
        for import in imports(&sources).iter().filter(|import| within(&import.from, pure)) {
            assert!(!within(&import.to, above), "{} imports {}", import.place, import.to.join("::"));
        }
    }
}

#[test]
fn pure_modules_reach_no_runtime() {
    for (name, module, forbidden) in PURE {
        let files = sources_of(&root().join(name).join("src"));
        let inside =
            |source: &&Source| module.is_empty() || source.module.first().is_some_and(|m| m == module);
        let files: Vec<_> = files.iter().filter(inside).collect();
        assert!(!files.is_empty(), "{name}: {module} is gone");
        for source in files {
            for (number, line) in source.text.lines().enumerate() {
                let found = forbidden.iter().find(|path| mentions(line, path));
                assert_eq!(found, None, "{}:{}: {line}", source.file.display(), number + 1);
            }
        }
    }
}

#[test]
fn module_files_are_called_mod_rs() {
    let mut wrong = Vec::new();
    for name in CRATES {
        for (path, _) in sources(&root().join(name).join("src")) {
            if path.with_extension("").is_dir() {
                wrong.push(path.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "move each to mod.rs in the folder of its name: {wrong:#?}");
}

#[test]
fn circles_are_found_through_reexports() {
    let source = |module: &str, text: &str| Source::parse(module.into(), split(module), text);
    let sources = [
        source("", "mod a; mod b;"),
        source("a", "mod deep; pub use deep::Thing; use crate::b::{self, More};"),
        source("a::deep", "use super::super::b;"),
        source("b", "// use crate::a::Thing;\n const X: &str = \"crate::a::Y\";"),
        source("c", "fn f() { crate::a::Thing::new(); }"),
    ];
    assert_eq!(circles(&imports(&sources)), []);
    let back = source("b", "#[cfg(test)]\nmod tests;\nuse crate::a::Thing;");
    let with_back = [&sources[..3], &[back]].concat();
    let found = circles(&imports(&with_back));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, BTreeSet::from([split("a"), split("b")]));
    assert!(!is_comment("use crate::a;"));
}

fn split(module: &str) -> Path {
    module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
