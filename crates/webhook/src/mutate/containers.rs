//! What is done to one container.

use super::Plan;
use crate::{Mode, go::Value};

const REGIONAL_STS: &str = "AWS_STS_REGIONAL_ENDPOINTS";
const REGIONS: [&str; 2] = ["AWS_DEFAULT_REGION", "AWS_REGION"];

/// Adds to a container what the plan says and it lacks; whether that was anything.
pub(super) fn add_to(container: &mut Value, plan: &Plan, token_file: &str) -> bool {
    let names: Vec<&str> = container
        .list("env")
        .unwrap_or_default()
        .iter()
        .map(|variable| variable.text("name"))
        .collect();
    let has = |name: &str| names.contains(&name);
    // The mode is told by either of its two variables; the other mode's do not count.
    let has_mode = has(plan.first_variable.0) || has(plan.token_variable);
    let has_region = REGIONS.into_iter().any(has);
    let has_sts = has(REGIONAL_STS);
    if has_mode && has_region && has_sts {
        return false;
    }

    let mut variables: Vec<(&str, &str)> = Vec::new();
    if !has_sts && plan.regional_sts {
        variables.push((REGIONAL_STS, "regional"));
    }
    if !has_region && !plan.region.is_empty() {
        variables.extend(REGIONS.map(|name| (name, plan.region.as_str())));
    }
    if !has_mode {
        variables.push((plan.first_variable.0, &plan.first_variable.1));
        variables.push((plan.token_variable, token_file));
    }
    let mut changed = !variables.is_empty();
    for (name, value) in variables {
        if let Some(variable) = container.push_struct("env") {
            variable.set_text("name", name);
            variable.set_text("value", value);
        }
    }

    let mounted = container
        .list("volumeMounts")
        .unwrap_or_default()
        .iter()
        .any(|mount| mount.text("name") == plan.volume_name);
    if !mounted {
        if let Some(mount) = container.push_struct("volumeMounts") {
            mount.set_text("name", &plan.volume_name);
            mount.set_text("mountPath", &plan.mount_path);
            if let Some(Value::Bool(read_only)) = mount.get_mut("readOnly") {
                *read_only = true;
            }
        }
        changed = true;
    }
    changed
}

/// The label of the pods in a mode, if it has one.
pub(super) fn label(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::PodIdentity => Some("eks.amazonaws.com/pod-identity"),
        Mode::Irsa => None,
    }
}
