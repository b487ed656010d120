//! The events.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::MutationReason;
use crate::{ServiceAccountRef, Span};

/// A pod by name, and its uid once it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodRef {
    /// The cluster it runs on.
    pub cluster: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// What kind of principal called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallerKind {
    /// The account's root.
    Root,
    /// An IAM user.
    User,
    /// A role session.
    AssumedRole,
    /// A federated user.
    FederatedUser,
    /// An AWS service.
    Service,
    /// A holder of a web identity token.
    WebIdentity,
    /// Nobody in particular: the request was not signed.
    #[default]
    Anonymous,
}

/// Who called. Never carries a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    /// What kind of principal.
    pub kind: CallerKind,
    /// The principal's ARN (`arn:aws:sts::…:assumed-role/…` for sessions); the name for services; empty if anonymous.
    pub arn: String,
    /// The account, empty if anonymous.
    pub account: String,
    /// The access key id the request was signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// For role sessions: the role's ARN, with its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// For role sessions: the session's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
}

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorSummary {
    /// The error's name.
    pub code: String,
    /// The message.
    pub message: String,
}

/// Something that happened.
///
/// `request_id` is the id AWS would give the request; it ties an agent's request, the EKS Auth call it made, the trust
/// evaluations and the session together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum Event {
    /// The clock was moved.
    ClockMoved {
        /// By how much.
        by: Span,
        /// Backwards (only ever the wall clock alone).
        back: bool,
        /// The wall clock alone.
        wall_only: bool,
    },
    /// A cluster was created.
    ClusterCreated {
        /// Its name.
        cluster: String,
        /// Its ARN.
        arn: String,
    },
    /// A cluster was deleted.
    ClusterDeleted {
        /// Its name.
        cluster: String,
    },
    /// An add-on changed its status.
    AddonChanged {
        /// The cluster.
        cluster: String,
        /// The add-on's name.
        addon: String,
        /// `CREATING`, `ACTIVE`, `DELETING`, ... or `DELETED`.
        status: String,
    },
    /// An association was created.
    AssociationCreated {
        /// The cluster.
        cluster: String,
        /// The service account.
        #[serde(flatten)]
        service_account: ServiceAccountRef,
        /// `a-…`.
        association_id: String,
        /// The role assumed first.
        role_arn: String,
        /// The role assumed second.
        target_role_arn: Option<String>,
    },
    /// An association was changed.
    AssociationUpdated {
        /// The cluster.
        cluster: String,
        /// The service account.
        #[serde(flatten)]
        service_account: ServiceAccountRef,
        /// `a-…`.
        association_id: String,
        /// The role assumed first.
        role_arn: String,
        /// The role assumed second.
        target_role_arn: Option<String>,
    },
    /// An association was deleted.
    AssociationDeleted {
        /// The cluster.
        cluster: String,
        /// The service account.
        #[serde(flatten)]
        service_account: ServiceAccountRef,
        /// `a-…`.
        association_id: String,
    },
    /// Something in IAM changed.
    IamChanged {
        /// The account.
        account: String,
        /// The API action, such as `CreateRole`.
        action: String,
        /// The ARN of what changed.
        arn: String,
    },
    /// A node joined.
    NodeStarted {
        /// The cluster.
        cluster: String,
        /// The node.
        node: String,
    },
    /// A node's agent runs.
    AgentStarted {
        /// The node.
        node: String,
        /// `twin` or `real`.
        kind: String,
        /// The release or profile.
        version: String,
    },
    /// A node's agent stopped.
    AgentStopped {
        /// The node.
        node: String,
        /// Why, in words.
        reason: String,
    },
    /// A pod was admitted; the webhook's decision with it.
    PodAdmitted {
        /// The pod.
        pod: PodRef,
        /// Its service account's name.
        service_account: String,
        /// Its node.
        node: String,
        /// Whether the webhook changed it.
        mutated: bool,
        /// Why.
        reason: MutationReason,
        /// What a person would want to know beside it, such as the nearest association.
        detail: Option<String>,
    },
    /// A pod was refused at admission.
    PodRefused {
        /// The namespace.
        namespace: String,
        /// The pod's name.
        name: String,
        /// The API server's message.
        message: String,
    },
    /// A pod was deleted.
    PodDeleted {
        /// The pod.
        pod: PodRef,
    },
    /// A service account token was projected into a pod, or renewed there.
    TokenIssued {
        /// The pod.
        pod: PodRef,
        /// The token's audience.
        audience: String,
        /// The token's id (`jti`).
        jti: String,
        /// When it was issued.
        issued_at: Timestamp,
        /// When it expires.
        expires_at: Timestamp,
        /// Whether it replaced an earlier one.
        rotation: bool,
    },
    /// A program was started in a pod.
    ProgramStarted {
        /// The pod.
        pod: PodRef,
        /// The command line's first word.
        program: String,
    },
    /// A program in a pod ended.
    ProgramExited {
        /// The pod.
        pod: PodRef,
        /// The command line's first word.
        program: String,
        /// The exit status; absent if a signal ended it.
        code: Option<i32>,
    },
    /// The agent answered a request.
    AgentRequest {
        /// The node.
        node: String,
        /// The pod, where it is known from the network or from the token's claims.
        pod: Option<PodRef>,
        /// The request's method and path.
        request: String,
        /// The `Host` header.
        host: String,
        /// Whether an `Authorization` header came along.
        authorization: bool,
        /// The caller's `User-Agent`.
        user_agent: Option<String>,
        /// The status answered.
        status: u16,
        /// The body, if it was an error.
        error: Option<String>,
        /// Whether the credentials came from the cache.
        cached: bool,
        /// The access key id handed out.
        access_key_id: Option<String>,
        /// The id of the EKS Auth request made for it, if one was made.
        upstream_request_id: Option<String>,
        /// Real time it took, in milliseconds.
        millis: u64,
    },
    /// A line of a component's log.
    Log {
        /// `agent`, `webhook`, ...
        component: String,
        /// The node, where it belongs to one.
        node: Option<String>,
        /// The level, in lower case.
        level: String,
        /// The line.
        line: String,
    },
    /// EKS Auth answered.
    AuthCall {
        /// The request's id.
        request_id: String,
        /// The cluster named in the request.
        cluster: String,
        /// The node that called.
        caller: Caller,
        /// The service account in the token, if it could be read.
        service_account: Option<ServiceAccountRef>,
        /// The pod in the token, if it could be read.
        pod: Option<PodRef>,
        /// The association found.
        association_id: Option<String>,
        /// The HTTP status answered.
        status: u16,
        /// The error answered.
        error: Option<ErrorSummary>,
        /// What was really the matter, in words; never sent to the caller.
        detail: Option<String>,
        /// The access key id handed out.
        access_key_id: Option<String>,
    },
    /// A trust policy was evaluated for one action.
    TrustEvaluated {
        /// The request's id.
        request_id: String,
        /// 1 for the association role, 2 for the target role, 0 for any other AssumeRole.
        hop: u8,
        /// `sts:AssumeRole`, `sts:TagSession`, ...
        action: String,
        /// The role.
        role_arn: String,
        /// Who wants to assume it.
        caller: Caller,
        /// The `Verdict` of the policy engine.
        verdict: serde_json::Value,
    },
    /// STS issued a session.
    SessionIssued {
        /// The request's id.
        request_id: String,
        /// 1 for the association role, 2 for the target role, 0 for any other AssumeRole.
        hop: u8,
        /// `pod-identity`, `irsa` or `assume-role`.
        source: String,
        /// Its access key id.
        access_key_id: String,
        /// The role.
        role_arn: String,
        /// The role's account.
        account: String,
        /// The session's name.
        session_name: String,
        /// Its session tags, inherited ones included.
        tags: BTreeMap<String, String>,
        /// The transitive ones among them.
        transitive_tags: Vec<String>,
        /// The external id passed.
        external_id: Option<String>,
        /// When it was issued.
        issued_at: Timestamp,
        /// When it expires.
        expires_at: Timestamp,
        /// How much of the packed size it takes, in percent.
        packed_policy_size: Option<u32>,
    },
    /// An AWS API answered.
    ApiCall {
        /// The request's id.
        request_id: String,
        /// The service's signing name: `s3`, `sts`, `iam`, `eks`, `eks-auth`.
        service: String,
        /// The IAM action, such as `s3:ListBucket`.
        action: String,
        /// The resource's ARN, or `*`.
        resource: String,
        /// Who called.
        caller: Caller,
        /// The pod that called, where it is known from the network.
        pod: Option<PodRef>,
        /// The caller's `User-Agent`.
        user_agent: Option<String>,
        /// The HTTP status answered.
        status: u16,
        /// The error answered.
        error: Option<ErrorSummary>,
        /// The `Verdict` of the policy engine, where one was asked for.
        verdict: Option<serde_json::Value>,
    },
    /// A fault of the scenario's took effect.
    FaultInjected {
        /// Where: `webhook`, `pod->agent`, `agent->eks-auth`, `eks-auth`, ...
        place: String,
        /// What: `skip`, `refuse`, `latency`, ...
        fault: String,
        /// Whom it hit.
        detail: Option<String>,
    },
    /// A step of a scenario began.
    StepStarted {
        /// Its place in the file, from 0.
        step: usize,
        /// Its title.
        title: String,
    },
    /// A step of a scenario ended.
    StepFinished {
        /// Its place in the file, from 0.
        step: usize,
        /// Whether all it expected held.
        held: bool,
    },
}
