//! Exactly what is installed of Amazon's webhook. Its own manifests are the model; what is added is said there.

use emu_cluster::kubernetes::{
    AmazonWebhook,
    amazon_webhook::{AssociationsFile, Certificate, IMAGE},
};
use serde_json::{Value, json};

fn webhook() -> AmazonWebhook {
    AmazonWebhook {
        image: IMAGE.into(),
        pull_policy: "IfNotPresent".into(),
        region: "eu-central-1".into(),
        associations: AssociationsFile::Beside {
            image: "registry.example/emu:1".into(),
            pull_policy: "IfNotPresent".into(),
        },
        certificate: Certificate {
            authority: "the authority".into(),
            certificate: "the certificate".into(),
            key: "the key".into(),
        },
        without_services: None,
    }
}

/// All of it in the order in which it is applied.
fn all(webhook: &AmazonWebhook) -> Value {
    let mut all: Vec<Value> = webhook
        .objects()
        .unwrap()
        .iter()
        .map(|object| serde_json::to_value(object).unwrap())
        .collect();
    all.push(serde_json::to_value(webhook.registration()).unwrap());
    Value::Array(all)
}

#[test]
fn what_is_installed_is_pinned() {
    let pinned = include_str!("data/amazon-webhook.json");
    let is = format!(
        "{}\n",
        serde_json::to_string_pretty(&all(&webhook())).unwrap()
    );
    assert_eq!(is, pinned, "{is}");
}

#[test]
fn everything_is_labelled_as_ours() {
    for object in all(&webhook()).as_array().unwrap() {
        let label = &object["metadata"]["labels"]["app.kubernetes.io/managed-by"];
        assert_eq!(label, "emu", "{object}");
    }
}

#[test]
fn without_services_it_is_on_the_nodes_network() {
    let webhook = AmazonWebhook {
        without_services: Some(([10, 99, 0, 2], 6443).into()),
        associations: AssociationsFile::Folder("/tmp/run/webhook".into()),
        ..webhook()
    };
    let all = all(&webhook);
    let kinds: Vec<&Value> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["kind"])
        .collect();
    assert!(!kinds.contains(&&json!("Service")), "{kinds:?}");
    let deployment = &all[4]["spec"]["template"]["spec"];
    assert_eq!(deployment["hostNetwork"], true);
    assert_eq!(
        deployment["volumes"][1],
        json!({"name": "associations", "hostPath": {"path": "/tmp/run/webhook", "type": "Directory"}})
    );
    let containers = deployment["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    assert_eq!(
        containers[0]["env"],
        json!([
            {"name": "KUBERNETES_SERVICE_HOST", "value": "10.99.0.2"},
            {"name": "KUBERNETES_SERVICE_PORT", "value": "6443"},
        ])
    );
    let called = &all[5]["webhooks"][0]["clientConfig"];
    assert_eq!(called["url"], "https://127.0.0.1:9444/mutate");
    assert_eq!(called["service"], Value::Null);
}

#[test]
fn its_key_is_not_in_what_is_written_about_it() {
    assert!(!format!("{:?}", webhook()).contains("the key"));
}
