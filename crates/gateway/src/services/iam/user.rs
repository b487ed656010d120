//! Users and their access keys.

use emu_cloud::iam::{AccessKey, CreateUser, EntityKind, User};

use super::{Input, Outcome, Xml, answer, done, result};

fn write(xml: &mut Xml, user: &User, full: bool) {
    xml.text("Path", &user.path)
        .text("UserName", &user.name)
        .text("UserId", &user.id)
        .text("Arn", &user.arn)
        .text("CreateDate", answer::time(user.created_at));
    if full {
        answer::boundary(xml, user.permissions.boundary.as_deref());
        if !user.tags.is_empty() {
            answer::tags(xml, &user.tags);
        }
    }
}

pub(super) fn create(input: &Input<'_>) -> Outcome {
    let [name] = input.required(["UserName"])?;
    let user = input.cloud.iam.create_user(
        input.cloud,
        input.call,
        CreateUser {
            name: name.into(),
            path: input.owned("Path"),
            boundary: input.owned("PermissionsBoundary"),
            tags: input.tags()?,
        },
    )?;
    result(move |xml| {
        xml.element("User", |xml| write(xml, &user, true));
    })
}

pub(super) fn get(input: &Input<'_>) -> Outcome {
    let user = input
        .cloud
        .iam
        .get_user(input.cloud, input.call, input.optional("UserName"))?;
    result(move |xml| {
        xml.element("User", |xml| write(xml, &user, true));
    })
}

pub(super) fn list(input: &Input<'_>) -> Outcome {
    let page = input.cloud.iam.list_users(
        input.cloud,
        input.call,
        input.optional("PathPrefix"),
        &input.page()?,
    )?;
    result(move |xml| {
        xml.members("Users", &page.items, |xml, user| write(xml, user, false));
        answer::page_end(xml, page.marker.as_deref());
    })
}

pub(super) fn delete(input: &Input<'_>) -> Outcome {
    done(
        input
            .cloud
            .iam
            .delete_user(input.cloud, input.call, input.entity(EntityKind::User)?),
    )
}

/// There are no groups here; tools ask before they delete a user.
pub(super) fn groups(input: &Input<'_>) -> Outcome {
    input.cloud.iam.get_user(
        input.cloud,
        input.call,
        Some(input.entity(EntityKind::User)?),
    )?;
    result(|xml| {
        xml.texts("Groups", [""; 0]);
        answer::page_end(xml, None);
    })
}

fn status(key: &AccessKey) -> &'static str {
    if key.active { "Active" } else { "Inactive" }
}

pub(super) fn create_key(input: &Input<'_>) -> Outcome {
    let key =
        input
            .cloud
            .iam
            .create_access_key(input.cloud, input.call, input.optional("UserName"))?;
    result(move |xml| {
        xml.element("AccessKey", |xml| {
            xml.text("UserName", &key.user_name)
                .text("AccessKeyId", &key.id)
                .text("Status", status(&key))
                .text("SecretAccessKey", &key.secret)
                .text("CreateDate", answer::time(key.created_at));
        });
    })
}

pub(super) fn list_keys(input: &Input<'_>) -> Outcome {
    let keys =
        input
            .cloud
            .iam
            .list_access_keys(input.cloud, input.call, input.optional("UserName"))?;
    result(move |xml| {
        xml.members("AccessKeyMetadata", &keys, |xml, key| {
            xml.text("UserName", &key.user_name)
                .text("AccessKeyId", &key.id)
                .text("Status", status(key))
                .text("CreateDate", answer::time(key.created_at));
        });
        answer::page_end(xml, None);
    })
}

pub(super) fn update_key(input: &Input<'_>) -> Outcome {
    let [id, status] = input.required(["AccessKeyId", "Status"])?;
    let user = input.optional("UserName");
    done(
        input
            .cloud
            .iam
            .update_access_key(input.cloud, input.call, user, id, status == "Active"),
    )
}

pub(super) fn delete_key(input: &Input<'_>) -> Outcome {
    let [id] = input.required(["AccessKeyId"])?;
    done(
        input
            .cloud
            .iam
            .delete_access_key(input.cloud, input.call, input.optional("UserName"), id),
    )
}

/// Uses are not counted. Model: what is unknown is `N/A`.
pub(super) fn key_last_used(input: &Input<'_>) -> Outcome {
    let [id] = input.required(["AccessKeyId"])?;
    let name = input
        .cloud
        .iam
        .access_key_owner(input.cloud, input.call, id)?;
    result(move |xml| {
        xml.text("UserName", name)
            .element("AccessKeyLastUsed", |xml| {
                xml.text("Region", "N/A").text("ServiceName", "N/A");
            });
    })
}

/// There are none; tools ask for the account's name.
pub(super) fn account_aliases(_input: &Input<'_>) -> Outcome {
    result(|xml| {
        xml.texts("AccountAliases", [""; 0]);
        answer::page_end(xml, None);
    })
}
