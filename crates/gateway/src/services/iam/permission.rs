//! Policies, boundaries and tags of roles and users.

use emu_cloud::iam::EntityKind;

use super::{Input, Outcome, answer, done, result};

pub(super) fn put(input: &Input<'_>, kind: EntityKind) -> Outcome {
    let name = format!("{}Name", kind.title());
    let [entity, policy, document] = input.required([&name, "PolicyName", "PolicyDocument"])?;
    done(
        input
            .cloud
            .iam
            .put_inline_policy(input.cloud, input.call, kind, entity, policy, document),
    )
}

pub(super) fn get(input: &Input<'_>, kind: EntityKind) -> Outcome {
    let member = format!("{}Name", kind.title());
    let [entity, policy] = input.required([&member, "PolicyName"])?;
    let document = input
        .cloud
        .iam
        .inline_policy(input.cloud, input.call, kind, entity, policy)?;
    let (entity, policy) = (entity.to_owned(), policy.to_owned());
    result(move |xml| {
        xml.text(&member, entity)
            .text("PolicyName", policy)
            .text("PolicyDocument", answer::document(document.text()));
    })
}

pub(super) fn delete(input: &Input<'_>, kind: EntityKind) -> Outcome {
    let member = format!("{}Name", kind.title());
    let [entity, policy] = input.required([&member, "PolicyName"])?;
    done(
        input
            .cloud
            .iam
            .delete_inline_policy(input.cloud, input.call, kind, entity, policy),
    )
}

pub(super) fn list(input: &Input<'_>, kind: EntityKind) -> Outcome {
    let page = input.cloud.iam.inline_policies(
        input.cloud,
        input.call,
        kind,
        input.entity(kind)?,
        &input.page()?,
    )?;
    result(move |xml| {
        xml.texts("PolicyNames", &page.items);
        answer::page_end(xml, page.marker.as_deref());
    })
}

pub(super) fn attach(input: &Input<'_>, kind: EntityKind) -> Outcome {
    let name = format!("{}Name", kind.title());
    let [entity, arn] = input.required([&name, "PolicyArn"])?;
    done(
        input
            .cloud
            .iam
            .attach_policy(input.cloud, input.call, kind, entity, arn),
    )
}

pub(super) fn detach(input: &Input<'_>, kind: EntityKind) -> Outcome {
    let name = format!("{}Name", kind.title());
    let [entity, arn] = input.required([&name, "PolicyArn"])?;
    done(
        input
            .cloud
            .iam
            .detach_policy(input.cloud, input.call, kind, entity, arn),
    )
}

pub(super) fn list_attached(input: &Input<'_>, kind: EntityKind) -> Outcome {
    let page = input.cloud.iam.attached_policies(
        input.cloud,
        input.call,
        kind,
        input.entity(kind)?,
        &input.page()?,
    )?;
    result(move |xml| {
        xml.members("AttachedPolicies", &page.items, |xml, (name, arn)| {
            xml.text("PolicyName", name).text("PolicyArn", arn);
        });
        answer::page_end(xml, page.marker.as_deref());
    })
}

pub(super) fn put_boundary(input: &Input<'_>, kind: EntityKind) -> Outcome {
    let name = format!("{}Name", kind.title());
    let [entity, arn] = input.required([&name, "PermissionsBoundary"])?;
    done(
        input
            .cloud
            .iam
            .set_boundary(input.cloud, input.call, kind, entity, Some(arn)),
    )
}

pub(super) fn delete_boundary(input: &Input<'_>, kind: EntityKind) -> Outcome {
    done(
        input
            .cloud
            .iam
            .set_boundary(input.cloud, input.call, kind, input.entity(kind)?, None),
    )
}

pub(super) fn tag(input: &Input<'_>, kind: EntityKind) -> Outcome {
    done(input.cloud.iam.tag(
        input.cloud,
        input.call,
        kind,
        input.entity(kind)?,
        input.tags()?,
    ))
}

pub(super) fn untag(input: &Input<'_>, kind: EntityKind) -> Outcome {
    done(input.cloud.iam.untag(
        input.cloud,
        input.call,
        kind,
        input.entity(kind)?,
        &input.list("TagKeys"),
    ))
}

pub(super) fn list_tags(input: &Input<'_>, kind: EntityKind) -> Outcome {
    let tags = input
        .cloud
        .iam
        .tags(input.cloud, input.call, kind, input.entity(kind)?)?;
    result(move |xml| {
        answer::tags(xml, &tags);
        answer::page_end(xml, None);
    })
}
