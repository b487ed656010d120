//! SimulatePrincipalPolicy.

use emu_cloud::iam::{MatchedStatement, Simulated, Simulation};

use super::{Input, Outcome, Xml, answer, result};

fn position(xml: &mut Xml, name: &str, (line, column): (usize, usize)) {
    xml.element(name, |xml| {
        xml.text("Line", line).text("Column", column);
    });
}

fn matched(xml: &mut Xml, statements: &[MatchedStatement]) {
    xml.members("MatchedStatements", statements, |xml, statement| {
        // Snapshot: the type is `IAM Policy` whatever the model's list says.
        xml.text("SourcePolicyId", &statement.policy)
            .text("SourcePolicyType", "IAM Policy");
        position(xml, "StartPosition", statement.start);
        position(xml, "EndPosition", statement.end);
    });
}

fn boundary(xml: &mut Xml, allows: Option<bool>) {
    if let Some(allows) = allows {
        xml.element("PermissionsBoundaryDecisionDetail", |xml| {
            xml.text("AllowedByPermissionsBoundary", allows);
        });
    }
}

fn write(xml: &mut Xml, result: &Simulated) {
    xml.text("EvalActionName", &result.action)
        .text("EvalResourceName", &result.resource)
        .text("EvalDecision", result.decision);
    matched(xml, &result.matched);
    xml.texts("MissingContextValues", &result.missing);
    boundary(xml, result.boundary_allows);
    if !result.by_resource.is_empty() {
        xml.members(
            "ResourceSpecificResults",
            &result.by_resource,
            |xml, one| {
                xml.text("EvalResourceName", &one.resource)
                    .text("EvalResourceDecision", one.decision);
                matched(xml, &one.matched);
                xml.texts("MissingContextValues", &one.missing);
                boundary(xml, one.boundary_allows);
            },
        );
    }
}

pub(super) fn principal(input: &Input<'_>) -> Outcome {
    let [source_arn] = input.required(["PolicySourceArn"])?;
    let entries = input.params.structures("ContextEntries");
    let context = entries.iter().filter_map(|entry| {
        let values = entry
            .list("ContextKeyValues")
            .into_iter()
            .map(str::to_owned)
            .collect();
        Some((entry.owned("ContextKeyName")?, values))
    });
    let results = input.cloud.iam.simulate(
        input.cloud,
        input.call,
        Simulation {
            source_arn: source_arn.into(),
            actions: input.list("ActionNames"),
            resources: input.list("ResourceArns"),
            policies: input.list("PolicyInputList"),
            boundaries: input.list("PermissionsBoundaryPolicyInputList"),
            resource_policy: input.owned("ResourcePolicy"),
            resource_owner: input.owned("ResourceOwner"),
            context: context.collect(),
        },
    )?;
    result(move |xml| {
        xml.members("EvaluationResults", &results, write);
        answer::page_end(xml, None);
    })
}
