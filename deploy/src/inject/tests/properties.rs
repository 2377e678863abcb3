//! Whatever the pod is: removing what was added gives what was there.

use super::*;
use proptest::prelude::*;

/// A pod of some shape that can be decorated.
fn pods() -> impl Strategy<Value = String> {
    let word =
        prop::sample::select(vec!["make", "yes", "0123", "a: b", "$(date)", "it's", "\"q\"", "ü", "x\ny"]);
    let words = prop::collection::vec(word, 1..4);
    let container = (words.clone(), prop::option::of(words), any::<[bool; 6]>());
    let kind = prop::sample::select(vec!["Pod", "Job", "CronJob", "Deployment", "Rollout"]);
    (prop::collection::vec(container, 1..4), kind, any::<[bool; 6]>()).prop_map(|(containers, kind, flags)| {
        let quoted = |words: &[&str]| serde_json::to_string(words).expect("JSON");
        let list = containers.iter().enumerate().map(|(index, (command, args, with))| {
            let mut text = format!("{{\"name\": \"c{index}\", \"command\": {}", quoted(command));
            if let Some(args) = args {
                text.extend([", \"args\": ", &quoted(args)]);
            }
            for (part, with) in [
                (", \"env\": [{\"name\": \"X\", \"value\": \"yes\"}]", with[0]),
                (", \"volumeMounts\": [{\"name\": \"s\", \"mountPath\": \"/s\"}]", with[1]),
                (", \"terminationMessagePolicy\": \"File\"", with[2]),
                (", \"securityContext\": {\"runAsUser\": 5}", with[3]),
                (", \"env\": []", with[4] && !with[0]),
                (", \"resources\": {\"limits\": {\"cpu\": 1}}", with[5]),
            ] {
                if with {
                    text += part;
                }
            }
            text + "}"
        });
        let mut spec = format!("{{\"containers\": [{}], \"volumes\": [{{\"name\": \"s\", \"secret\": {{\"secretName\": \"s\"}}}}]", list.collect::<Vec<_>>().join(", "));
        for (part, with) in [
            (", \"terminationGracePeriodSeconds\": 300", flags[0]),
            (", \"restartPolicy\": \"Never\"", flags[1]),
            (", \"securityContext\": {\"runAsUser\": 9, \"fsGroup\": 9}", flags[2]),
            (", \"initContainers\": [{\"name\": \"i\", \"image\": \"1\"}]", flags[3]),
            (", \"nodeSelector\": {\"a\": \"b\"}", flags[4]),
        ] {
            if with {
                spec += part;
            }
        }
        spec += "}";
        let template = format!("{{\"spec\": {spec}}}");
        let body = match kind {
            "Pod" => spec,
            "CronJob" => format!("{{\"jobTemplate\": {{\"spec\": {{\"template\": {template}}}}}}}"),
            "Job" if flags[5] => format!("{{\"backoffLimit\": 0, \"template\": {template}}}"),
            _ => format!("{{\"template\": {template}}}"),
        };
        format!("{{\"kind\": \"{kind}\", \"metadata\": {{\"name\": \"n\", \"labels\": {{\"on\": \"0x1\"}}}}, \"spec\": {body}}}")
    })
}

/// Takes out of `after` what is not in `before`, by the names that are ours, and
/// puts the commands back.
fn stripped(before: &Node, after: &Node) -> Node {
    match (before, after) {
        (Node::Map(old), Node::Map(new)) => {
            let mut kept = yaml::Map::default();
            for (key, node) in new.entries() {
                match old.get(key.key()) {
                    Some(old) if key.key() != "command" => kept.set(key.key(), stripped(old, node)),
                    Some(_) | None => {}
                }
            }
            if old.get("command").is_some() {
                let json: serde_json::Value =
                    serde_json::from_str(&variable(after, "ENTRYPOINT_OPTIONS")).expect("JSON");
                let words: Vec<_> =
                    json["args"].as_array().expect("words").iter().filter_map(|word| word.as_str()).collect();
                kept.set("command", Node::texts(words));
            }
            Node::Map(kept)
        }
        (Node::List(old), Node::List(new)) => {
            // What is added comes behind what was there.
            Node::List(old.iter().zip(new).map(|(old, new)| stripped(old, new)).collect())
        }
        (_, other) => other.clone(),
    }
}

/// The document with `command` and `args` as one list, as entrypoint gets them.
fn joined(node: &Node) -> Node {
    match node {
        Node::Map(map) => {
            let mut kept = yaml::Map::default();
            for (key, node) in map.entries() {
                match (key.key(), map.get("args"), node) {
                    ("command", Some(Node::List(args)), Node::List(words)) => {
                        kept.set("command", Node::List(words.iter().chain(args).cloned().collect()));
                    }
                    ("args", _, _) => {}
                    (name, _, node) => kept.set(name, joined(node)),
                }
            }
            Node::Map(kept)
        }
        Node::List(list) => Node::List(list.iter().map(joined).collect()),
        Node::Scalar(_) => node.clone(),
    }
}

/// A document with every mapping sorted, to compare without regard to order and
/// style.
fn normal(node: &Node) -> serde_json::Value {
    serde_json::from_str(&yaml::to_json(node)).expect("JSON")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn removing_what_was_added_gives_what_was_there(text in pods(), native: bool, image: bool, initupload: bool) {
        let mut flags = USUAL.to_owned();
        for (flag, with) in [(" --native-sidecar", native), (" --run-as image", image), (" --initupload", initupload)] {
            if with {
                flags += flag;
            }
        }
        let before = node(&text);
        let output = run(&text, &flags).map_err(|errors| TestCaseError::fail(format!("{errors:?}")))?;
        let after = node(&output.text);
        prop_assert_eq!(normal(&stripped(&before, &after)), normal(&joined(&before)));
        let order = |node: &Node| yaml::to_yaml(node).lines().filter(|line| !line.trim_start().starts_with(['-', 'c', 'a'])).map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(order(&joined(&stripped(&before, &after))).len(), order(&joined(&before)).len());
        let again = run(&output.text, &flags).expect_err("decorated twice");
        prop_assert!(again.len() == 1 && again[0].contains("already decorated"), "{:?}", again);
    }

    #[test]
    fn what_inject_makes_passes_the_check(text in pods(), native: bool, waits: bool) {
        let mut flags = USUAL.replace("--build-id 7", "--build-id-from metadata.uid");
        for (flag, with) in [(" --native-sidecar", native), (" --ignore-interrupts", waits)] {
            if with {
                flags += flag;
            }
        }
        let output = run(&text, &flags).map_err(|errors| TestCaseError::fail(format!("{errors:?}")))?;
        // Only what the document itself says can be wrong: its kind and its users.
        let ours = |warning: &&String| !warning.contains("restartPolicy") && !warning.contains("runAsUser");
        prop_assert_eq!(output.warnings.iter().find(ours), None);
    }
}
