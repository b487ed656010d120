//! Roles.

use emu_cloud::iam::{CreateRole, EntityKind, Role, UpdateRole};

use super::{Input, Outcome, Xml, answer, done, result};

/// What of a role an answer shows. Snapshots: CreateRole has no MaxSessionDuration and no RoleLastUsed, ListRoles has less.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Created,
    Full,
    Listed,
}

fn write(xml: &mut Xml, role: &Role, trust: &str, detail: Detail) {
    xml.text("Path", &role.path)
        .text("RoleName", &role.name)
        .text("RoleId", &role.id)
        .text("Arn", &role.arn)
        .text("CreateDate", answer::time(role.created_at))
        .text("AssumeRolePolicyDocument", answer::document(trust))
        .optional("Description", role.description.as_deref());
    if detail == Detail::Full {
        xml.text("MaxSessionDuration", role.max_session_seconds);
    }
    if detail != Detail::Listed {
        answer::boundary(xml, role.permissions.boundary.as_deref());
        if detail == Detail::Full || !role.tags.is_empty() {
            answer::tags(xml, &role.tags);
        }
    }
    if detail == Detail::Full {
        xml.element("RoleLastUsed", |_| {});
    }
}

pub(super) fn create(input: &Input<'_>) -> Outcome {
    let [name, trust] = input.required(["RoleName", "AssumeRolePolicyDocument"])?;
    let role = input.cloud.iam.create_role(
        input.cloud,
        input.call,
        CreateRole {
            name: name.into(),
            trust: trust.into(),
            path: input.owned("Path"),
            description: input.owned("Description"),
            max_session_seconds: input.number("MaxSessionDuration")?,
            boundary: input.owned("PermissionsBoundary"),
            tags: input.tags()?,
        },
    )?;
    let trust = role.trust.printed(&input.cloud.iam);
    result(move |xml| {
        xml.element("Role", |xml| write(xml, &role, &trust, Detail::Created));
    })
}

pub(super) fn get(input: &Input<'_>) -> Outcome {
    let role =
        input
            .cloud
            .iam
            .get_role(input.cloud, input.call, input.entity(EntityKind::Role)?)?;
    let trust = role.trust.printed(&input.cloud.iam);
    result(move |xml| {
        xml.element("Role", |xml| write(xml, &role, &trust, Detail::Full));
    })
}

pub(super) fn list(input: &Input<'_>) -> Outcome {
    let iam = &input.cloud.iam;
    let page = iam.list_roles(
        input.cloud,
        input.call,
        input.optional("PathPrefix"),
        &input.page()?,
    )?;
    let roles: Vec<_> = page
        .items
        .into_iter()
        .map(|role| (role.trust.printed(iam), role))
        .collect();
    result(move |xml| {
        xml.members("Roles", &roles, |xml, (trust, role)| {
            write(xml, role, trust, Detail::Listed);
        });
        answer::page_end(xml, page.marker.as_deref());
    })
}

pub(super) fn update(input: &Input<'_>) -> Outcome {
    let name = input.entity(EntityKind::Role)?;
    let update = UpdateRole {
        description: input.owned("Description"),
        max_session_seconds: input.number("MaxSessionDuration")?,
    };
    input
        .cloud
        .iam
        .update_role(input.cloud, input.call, name, update)?;
    // Model: an empty result, not none.
    result(|_| {})
}

pub(super) fn update_description(input: &Input<'_>) -> Outcome {
    let [name, description] = input.required(["RoleName", "Description"])?;
    let role =
        input
            .cloud
            .iam
            .update_role_description(input.cloud, input.call, name, description)?;
    let trust = role.trust.printed(&input.cloud.iam);
    result(move |xml| {
        xml.element("Role", |xml| write(xml, &role, &trust, Detail::Full));
    })
}

pub(super) fn update_trust(input: &Input<'_>) -> Outcome {
    let [name, document] = input.required(["RoleName", "PolicyDocument"])?;
    done(
        input
            .cloud
            .iam
            .update_trust(input.cloud, input.call, name, document),
    )
}

pub(super) fn delete(input: &Input<'_>) -> Outcome {
    done(
        input
            .cloud
            .iam
            .delete_role(input.cloud, input.call, input.entity(EntityKind::Role)?),
    )
}

/// There are no instance profiles here; tools ask before they delete a role.
pub(super) fn instance_profiles(input: &Input<'_>) -> Outcome {
    input
        .cloud
        .iam
        .get_role(input.cloud, input.call, input.entity(EntityKind::Role)?)?;
    result(|xml| {
        xml.texts("InstanceProfiles", [""; 0]);
        answer::page_end(xml, None);
    })
}
