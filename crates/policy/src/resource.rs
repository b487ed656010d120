//! Resource patterns: ARNs whose six parts are compared one by one, or `*`.

use crate::{
    context::Context,
    pattern::{Case, Pattern, Syntax},
};

/// One entry of `Resource` or `NotResource`.
#[derive(Clone, Debug)]
pub(crate) struct ResourcePattern {
    /// As written.
    pub(crate) text: Box<str>,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// `*`
    Everything,
    /// Up to six parts, the last of which takes the rest. Missing ones match anything: AWS prints `a:b:c`
    /// as `arn:b:c:*:*:*` (recorded; that it also matches so is inferred).
    Parts(Box<[Pattern]>),
}

impl ResourcePattern {
    /// Variables stand after the fifth colon only (docs); before it they are plain text.
    pub(crate) fn parse(text: &str, variables: bool) -> Self {
        let part = |(index, part)| {
            let variables = variables && index == 5;
            let wildcards = true;
            Pattern::parse(
                part,
                Syntax {
                    wildcards,
                    variables,
                },
            )
        };
        let form = if text == "*" {
            Form::Everything
        } else {
            Form::Parts(text.splitn(6, ':').enumerate().map(part).collect())
        };
        Self {
            text: text.into(),
            form,
        }
    }

    /// Resources are case-sensitive (docs).
    pub(crate) fn matches(&self, resource: &str, context: &Context) -> bool {
        match &self.form {
            Form::Everything => true,
            Form::Parts(patterns) => {
                let mut parts = resource.splitn(6, ':');
                patterns.iter().all(|pattern| {
                    parts
                        .next()
                        .is_some_and(|part| pattern.matches(part, context, Case::Sensitive))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_compared_one_by_one() {
        let context = Context::new().with("aws:PrincipalTag/ns", "shop");
        let matches = |pattern: &str, resource: &str| {
            ResourcePattern::parse(pattern, true).matches(resource, &context)
        };
        assert!(matches("*", "anything"));
        assert!(matches("arn:aws:s3:::b/*", "arn:aws:s3:::b/k/l:m"));
        assert!(!matches("arn:aws:s3:::b/*", "arn:aws:s3:::b"));
        assert!(
            !matches("arn:aws:s3*:b/*", "arn:aws:s3:::b/x"),
            "a star stays in its part"
        );
        assert!(matches(
            "arn:aws:eks:*:*:cluster/*",
            "arn:aws:eks:us-east-1:1:cluster/a"
        ));
        assert!(!matches("arn:aws:s3:::B", "arn:aws:s3:::b"));
        assert!(matches(
            "arn:aws:s3:::b/${aws:PrincipalTag/ns}/*",
            "arn:aws:s3:::b/shop/x"
        ));
        assert!(!matches(
            "arn:aws:s3:::b/${aws:PrincipalTag/other}/*",
            "arn:aws:s3:::b//x"
        ));
        assert!(!matches("arn:aws:s3:::b", "*"));
        assert!(matches("arn:aws:s3:::b?", "arn:aws:s3:::b1"));
    }
}
