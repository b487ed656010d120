//! OpenID Connect providers.

use emu_cloud::iam::CreateProvider;

use super::{Input, Outcome, answer, done, result};

pub(super) fn create(input: &Input<'_>) -> Outcome {
    let [url] = input.required(["Url"])?;
    let provider = input.cloud.iam.create_provider(
        input.cloud,
        input.call,
        CreateProvider {
            url: url.into(),
            client_ids: input.list("ClientIDList"),
            thumbprints: input.list("ThumbprintList"),
            tags: input.tags()?,
        },
    )?;
    result(move |xml| {
        xml.text("OpenIDConnectProviderArn", &provider.arn);
        if !provider.tags.is_empty() {
            answer::tags(xml, &provider.tags);
        }
    })
}

pub(super) fn get(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["OpenIDConnectProviderArn"])?;
    let provider = input.cloud.iam.get_provider(input.cloud, input.call, arn)?;
    result(move |xml| {
        xml.text("Url", &provider.url)
            .texts("ClientIDList", &provider.client_ids)
            .texts("ThumbprintList", &provider.thumbprints)
            .text("CreateDate", answer::time(provider.created_at));
        answer::tags(xml, &provider.tags);
    })
}

pub(super) fn list(input: &Input<'_>) -> Outcome {
    let arns = input.cloud.iam.list_providers(input.cloud, input.call)?;
    result(move |xml| {
        xml.members("OpenIDConnectProviderList", &arns, |xml, arn| {
            xml.text("Arn", arn);
        });
    })
}

pub(super) fn delete(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["OpenIDConnectProviderArn"])?;
    done(
        input
            .cloud
            .iam
            .delete_provider(input.cloud, input.call, arn),
    )
}

pub(super) fn add_client_id(input: &Input<'_>) -> Outcome {
    let [arn, id] = input.required(["OpenIDConnectProviderArn", "ClientID"])?;
    done(
        input
            .cloud
            .iam
            .add_client_id(input.cloud, input.call, arn, id),
    )
}

pub(super) fn remove_client_id(input: &Input<'_>) -> Outcome {
    let [arn, id] = input.required(["OpenIDConnectProviderArn", "ClientID"])?;
    done(
        input
            .cloud
            .iam
            .remove_client_id(input.cloud, input.call, arn, id),
    )
}

pub(super) fn set_thumbprints(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["OpenIDConnectProviderArn"])?;
    done(input.cloud.iam.set_thumbprints(
        input.cloud,
        input.call,
        arn,
        &input.list("ThumbprintList"),
    ))
}

pub(super) fn tag(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["OpenIDConnectProviderArn"])?;
    done(
        input
            .cloud
            .iam
            .tag_provider(input.cloud, input.call, arn, input.tags()?, &[]),
    )
}

pub(super) fn untag(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["OpenIDConnectProviderArn"])?;
    done(input.cloud.iam.tag_provider(
        input.cloud,
        input.call,
        arn,
        Vec::new(),
        &input.list("TagKeys"),
    ))
}

pub(super) fn list_tags(input: &Input<'_>) -> Outcome {
    let [arn] = input.required(["OpenIDConnectProviderArn"])?;
    let provider = input.cloud.iam.get_provider(input.cloud, input.call, arn)?;
    result(move |xml| {
        answer::tags(xml, &provider.tags);
        answer::page_end(xml, None);
    })
}
