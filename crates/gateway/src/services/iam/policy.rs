//! Managed policies and their versions.

use emu_cloud::iam::{CreatePolicy, ListPolicies, ManagedPolicy, PolicyVersion};

use super::{Input, Outcome, Xml, answer, done, result};

fn write(xml: &mut Xml, policy: &ManagedPolicy, usage: (usize, usize), full: bool) {
    xml.text("PolicyName", &policy.name)
        .text("PolicyId", &policy.id)
        .text("Arn", &policy.arn)
        .text("Path", &policy.path)
        .text(
            "DefaultVersionId",
            format_args!("v{}", policy.default_version),
        )
        .text("AttachmentCount", usage.0)
        .text("PermissionsBoundaryUsageCount", usage.1)
        .text("IsAttachable", true);
    if full {
        xml.optional("Description", policy.description.as_deref());
    }
    xml.text("CreateDate", answer::time(policy.created_at))
        .text("UpdateDate", answer::time(policy.updated_at));
    if full {
        answer::tags(xml, &policy.tags);
    }
}

fn write_version(xml: &mut Xml, version: &PolicyVersion, is_default: bool, document: bool) {
    if document {
        xml.text("Document", answer::document(version.document.text()));
    }
    xml.text("VersionId", version.id())
        .text("IsDefaultVersion", is_default)
        .text("CreateDate", answer::time(version.created_at));
}

fn usage(input: &Input<'_>, policy: &ManagedPolicy) -> (usize, usize) {
    input
        .cloud
        .iam
        .policy_usage(&input.call.account, &policy.arn)
}

pub(super) fn create(input: &Input<'_>) -> Outcome {
    let [name, document] = input.required(["PolicyName", "PolicyDocument"])?;
    let policy = input.cloud.iam.create_policy(
        input.cloud,
        input.call,
        CreatePolicy {
            name: name.into(),
            document: document.into(),
            path: input.owned("Path"),
            description: input.owned("Description"),
            tags: input.tags()?,
        },
    )?;
    result(move |xml| {
        xml.element("Policy", |xml| write(xml, &policy, (0, 0), true));
    })
}

pub(super) fn get(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["PolicyArn"])?;
    let policy = input.cloud.iam.get_policy(input.cloud, input.call, arn)?;
    let usage = usage(input, &policy);
    result(move |xml| {
        xml.element("Policy", |xml| write(xml, &policy, usage, true));
    })
}

pub(super) fn list(input: &Input<'_>) -> Outcome {
    let wanted = ListPolicies {
        scope: input.owned("Scope"),
        only_attached: input.flag("OnlyAttached"),
        path_prefix: input.owned("PathPrefix"),
        page: input.page()?,
    };
    let page = input
        .cloud
        .iam
        .list_policies(input.cloud, input.call, &wanted)?;
    let policies: Vec<_> = page
        .items
        .into_iter()
        .map(|policy| (usage(input, &policy), policy))
        .collect();
    result(move |xml| {
        xml.members("Policies", &policies, |xml, (usage, policy)| {
            write(xml, policy, *usage, false);
        });
        answer::page_end(xml, page.marker.as_deref());
    })
}

pub(super) fn delete(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["PolicyArn"])?;
    done(input.cloud.iam.delete_policy(input.cloud, input.call, arn))
}

pub(super) fn create_version(input: &Input<'_>) -> Outcome {
    let [arn, document] = input.required(["PolicyArn", "PolicyDocument"])?;
    let as_default = input.flag("SetAsDefault");
    let (version, is_default) = input.cloud.iam.create_policy_version(
        input.cloud,
        input.call,
        arn,
        document,
        as_default,
    )?;
    result(move |xml| {
        xml.element("PolicyVersion", |xml| {
            write_version(xml, &version, is_default, false);
        });
    })
}

pub(super) fn get_version(input: &Input<'_>) -> Outcome {
    let [arn, id] = input.required(["PolicyArn", "VersionId"])?;
    let (version, is_default) =
        input
            .cloud
            .iam
            .get_policy_version(input.cloud, input.call, arn, id)?;
    result(move |xml| {
        xml.element("PolicyVersion", |xml| {
            write_version(xml, &version, is_default, true);
        });
    })
}

pub(super) fn list_versions(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["PolicyArn"])?;
    let policy = input
        .cloud
        .iam
        .list_policy_versions(input.cloud, input.call, arn)?;
    result(move |xml| {
        xml.members("Versions", policy.versions.iter().rev(), |xml, version| {
            write_version(
                xml,
                version,
                version.number == policy.default_version,
                false,
            );
        });
        answer::page_end(xml, None);
    })
}

pub(super) fn set_default(input: &Input<'_>) -> Outcome {
    let [arn, id] = input.required(["PolicyArn", "VersionId"])?;
    done(
        input
            .cloud
            .iam
            .set_default_policy_version(input.cloud, input.call, arn, id),
    )
}

pub(super) fn delete_version(input: &Input<'_>) -> Outcome {
    let [arn, id] = input.required(["PolicyArn", "VersionId"])?;
    done(
        input
            .cloud
            .iam
            .delete_policy_version(input.cloud, input.call, arn, id),
    )
}

pub(super) fn tag(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["PolicyArn"])?;
    done(
        input
            .cloud
            .iam
            .tag_policy(input.cloud, input.call, arn, input.tags()?),
    )
}

pub(super) fn untag(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["PolicyArn"])?;
    done(
        input
            .cloud
            .iam
            .untag_policy(input.cloud, input.call, arn, &input.list("TagKeys")),
    )
}

pub(super) fn list_tags(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["PolicyArn"])?;
    let tags = input.cloud.iam.policy_tags(input.cloud, input.call, arn)?;
    result(move |xml| {
        answer::tags(xml, &tags);
        answer::page_end(xml, None);
    })
}

pub(super) fn entities(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["PolicyArn"])?;
    let (roles, users) = input
        .cloud
        .iam
        .entities_for_policy(input.cloud, input.call, arn)?;
    result(move |xml| {
        xml.texts("PolicyGroups", [""; 0]);
        xml.members("PolicyUsers", &users, |xml, (name, id)| {
            xml.text("UserName", name).text("UserId", id);
        });
        xml.members("PolicyRoles", &roles, |xml, (name, id)| {
            xml.text("RoleName", name).text("RoleId", id);
        });
        answer::page_end(xml, None);
    })
}
