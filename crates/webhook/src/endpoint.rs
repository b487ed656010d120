//! What is ours and not Amazon's: every container learns where the emulator answers, so that an unchanged manifest's SDK
//! calls it instead of AWS. Answered on a path of its own, for a registration of its own; the webhook's answers stay Amazon's.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::Operation;

/// The path on which [`Server::start_with_endpoint`](crate::Server::start_with_endpoint) answers it.
pub const ENDPOINT_PATH: &str = "/emu/endpoint";

/// The variable that SDKs of all languages take the address from. Source: docs (service-specific endpoints).
const VARIABLE: &str = "AWS_ENDPOINT_URL";

/// Answers an admission review of a pod: each container that does not set the variable itself gets it. Whatever is not
/// understood is admitted as it is.
pub(crate) fn review(body: &[u8], url: &str) -> Value {
    let review: Value = serde_json::from_slice(body).unwrap_or_default();
    let request = &review["request"];
    let operations = patch(&request["object"], url);
    let mut response = json!({ "uid": request["uid"], "allowed": true });
    if !operations.is_empty() {
        let patch = serde_json::to_vec(&operations).unwrap_or_default();
        response["patch"] = base64::engine::general_purpose::STANDARD
            .encode(patch)
            .into();
        response["patchType"] = "JSONPatch".into();
    }
    json!({ "apiVersion": review["apiVersion"], "kind": review["kind"], "response": response })
}

fn patch(pod: &Value, url: &str) -> Vec<Operation> {
    let variable = json!({ "name": VARIABLE, "value": url });
    let mut operations = Vec::new();
    for list in ["containers", "initContainers"] {
        let containers = pod["spec"][list].as_array();
        for (i, container) in containers.into_iter().flatten().enumerate() {
            let path = format!("/spec/{list}/{i}/env");
            match container["env"].as_array() {
                Some(env) if env.iter().any(|one| one["name"] == VARIABLE) => {}
                Some(env) if !env.is_empty() => {
                    operations.push(Operation::add(&format!("{path}/-"), variable.clone()));
                }
                _ => operations.push(Operation::add(&path, json!([variable]))),
            }
        }
    }
    operations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply;

    #[test]
    fn containers_learn_the_endpoint_unless_they_know_one() {
        let mut pod = json!({"spec": {
            "containers": [
                {"name": "bare"},
                {"name": "some", "env": [{"name": "A", "value": "b"}]},
                {"name": "own", "env": [{"name": VARIABLE, "value": "http://own"}]},
            ],
            "initContainers": [{"name": "first", "env": []}],
        }});
        let operations = patch(&pod, "http://10.99.0.2:4566");
        apply(&operations, &mut pod).unwrap();
        let of = |list: &str, i: usize| -> Vec<String> {
            let env = pod["spec"][list][i]["env"].as_array().unwrap();
            env.iter()
                .filter(|one| one["name"] == VARIABLE)
                .map(|one| one["value"].as_str().unwrap().to_owned())
                .collect()
        };
        let ours = ["http://10.99.0.2:4566".to_owned()];
        assert_eq!(of("containers", 0), ours);
        assert_eq!(of("containers", 1), ours);
        assert_eq!(pod["spec"]["containers"][1]["env"][0]["name"], "A");
        assert_eq!(of("containers", 2), ["http://own"]);
        assert_eq!(of("initContainers", 0), ours);
    }

    #[test]
    fn what_is_not_understood_is_admitted() {
        let answer = review(b"no json", "http://x");
        assert_eq!(answer["response"]["allowed"], true);
        assert!(answer["response"].get("patch").is_none());
    }
}
