//! From the body of an admission review to the body of the answer.

use base64::Engine as _;
use emu_core::journal::MutationReason;
use serde::Serialize;

use crate::{
    Mode, Mutator,
    go::{Keys, Value, decode, is_json_buffer, schema, yaml_to_json},
    mutate::patch,
    mutator::service_account,
};

/// What was decided about a pod, for whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The pod's name, or its `generateName`.
    pub pod: String,
    /// The namespace of the request.
    pub namespace: String,
    /// Its service account's name, as the pod names it.
    pub service_account: String,
    /// The node it is bound to, if it already is; else empty.
    pub node: String,
    /// How it gets its credentials; `None` if it gets none.
    pub mode: Option<Mode>,
    /// Whether the patch changes anything.
    pub mutated: bool,
    /// Why.
    pub reason: MutationReason,
    /// What a person would want to know beside it.
    pub detail: Option<String>,
    /// Whether the request is a dry run.
    pub dry_run: bool,
    /// Whether IRSA was asked for an account that is not known.
    pub account_missing: bool,
}

/// The answer to a review, and what was decided if it came so far.
#[derive(Clone, Debug)]
pub struct Reviewed {
    /// The body of the answer: an AdmissionReview as JSON.
    pub body: Vec<u8>,
    /// The decision; `None` if the review was not understood.
    pub decided: Option<Decided>,
}

#[derive(Default, Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(rename = "apiVersion", skip_serializing_if = "String::is_empty")]
    api_version: String,
    response: Response,
}

#[derive(Default, Serialize)]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(rename = "patchType", skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
}

#[derive(Serialize)]
struct Status {
    metadata: serde_json::Map<String, serde_json::Value>,
    message: String,
}

impl Response {
    fn refused(message: impl Into<String>) -> Self {
        Self {
            status: Some(Status {
                metadata: serde_json::Map::new(),
                message: message.into(),
            }),
            ..Self::default()
        }
    }
}

impl Mutator {
    /// Answers a review. Waits for an unknown service account as long as the grace period says.
    pub async fn review(&self, body: &[u8]) -> Reviewed {
        let (review, result) = decode_review(body);
        let request = review
            .get("request")
            .filter(|request| !matches!(request, Value::Pointer(None)));
        let (mut response, decided) = match (result, request) {
            (Err(message), _) => {
                tracing::error!("Can't decode body: {message}");
                (Response::refused(message), None)
            }
            (Ok(()), None) => (Response::refused("bad content"), None),
            (Ok(()), Some(request)) => self.answer(request).await,
        };
        if let Some(request) = request {
            request.text("uid").clone_into(&mut response.uid);
        }
        let answer = Answer {
            kind: review.text("kind").to_owned(),
            api_version: review.text("apiVersion").to_owned(),
            response,
        };
        Reviewed {
            // Strings and a map of strings: it cannot fail.
            body: serde_json::to_vec(&answer).unwrap_or_default(),
            decided,
        }
    }

    async fn answer(&self, request: &Value) -> (Response, Option<Decided>) {
        let object = match request.get("object") {
            Some(Value::Raw(Some(raw))) => raw.as_slice(),
            _ => b"",
        };
        let (pod, result) = decode(object, schema().pod, Keys::AnyCase);
        if let Err(message) = result {
            tracing::error!("Could not unmarshal raw object: {message}");
            return (Response::refused(message), None);
        }
        let namespace = request.text("namespace");
        let name = service_account(&pod);
        let (irsa, account_missing) = if self.has_association(namespace, name) {
            (None, false)
        } else {
            self.find_account(namespace, name).await
        };
        let decision = self.decide(&pod, namespace, name, irsa);
        let patched = decision
            .plan
            .as_ref()
            .map(|plan| (plan.mode, patch(&pod, plan)));
        let context = Context(&pod, namespace);
        match &patched {
            None => tracing::debug!(
                "Pod was not mutated. Reason: Service account did not have the right annotations or was not found in \
                 the cache. {context}"
            ),
            Some((_, (_, true))) => tracing::debug!("Pod was mutated. {context}"),
            Some((_, (_, false))) => tracing::debug!(
                "Pod was not mutated. Reason: Required volume mounts and env variables were already present. {context}"
            ),
        }
        let decided = Decided {
            pod: pod_name(&pod).to_owned(),
            namespace: namespace.to_owned(),
            service_account: name.to_owned(),
            node: pod
                .get("spec")
                .map_or("", |spec| spec.text("nodeName"))
                .to_owned(),
            mode: patched.as_ref().map(|(mode, _)| *mode),
            mutated: patched.as_ref().is_some_and(|(_, (_, changed))| *changed),
            reason: decision.reason,
            detail: decision.detail,
            dry_run: matches!(request.get("dryRun"), Some(Value::Pointer(Some(dry))) if **dry == Value::Bool(true)),
            account_missing,
        };
        let mut response = Response {
            allowed: true,
            ..Response::default()
        };
        if let Some((_, (operations, _))) = patched {
            let patch = serde_json::to_vec(&operations).unwrap_or_default();
            response.patch = Some(base64::engine::general_purpose::STANDARD.encode(patch));
            response.patch_type = Some("JSONPatch");
        }
        (response, Some(decided))
    }
}

/// A pod, as the original's log names it.
struct Context<'a>(&'a Value, &'a str);

impl std::fmt::Display for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(pod, namespace) = self;
        let (name, account) = (pod_name(pod), service_account(pod));
        write!(
            f,
            "Pod={name}, ServiceAccount={account}, Namespace={namespace}"
        )
    }
}

fn pod_name(pod: &Value) -> &str {
    let Some(metadata) = pod.get("metadata") else {
        return "";
    };
    match metadata.text("name") {
        "" => metadata.text("generateName"),
        name => name,
    }
}

/// The review as the API machinery decodes it: JSON if it looks like JSON, else YAML; kind and version looked at first,
/// keys exactly as written. The review is given as far as it could be decoded.
fn decode_review(body: &[u8]) -> (Value, Result<(), String>) {
    let review = schema().admission_review;
    let nothing = |message| (Value::zero_struct(review), Err(message));
    let converted;
    let data = if is_json_buffer(body) {
        body
    } else {
        match yaml_to_json(body) {
            Ok(json) => converted = json,
            Err(message) => return nothing(message),
        }
        &converted
    };
    let (version_kind, result) = decode(data, schema().version_kind, Keys::AnyCase);
    if let Err(message) = result {
        return nothing(format!(
            "couldn't get version/kind; json parse error: {message}"
        ));
    }
    let version = version_kind.text("apiVersion");
    if version.matches('/').count() > 1 {
        return nothing(format!("unexpected GroupVersion string: {version}"));
    }
    decode(data, review, Keys::Exact)
}
