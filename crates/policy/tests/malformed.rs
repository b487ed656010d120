//! Documents that AWS refuses, and its words.

use emu_policy::{Document, DocumentKind, PolicyFault};

fn refusal(text: &str, kind: DocumentKind) -> String {
    match Document::parse(text, kind) {
        Ok(_) => "accepted".into(),
        Err(error) => error.to_string(),
    }
}

/// A managed policy around one statement.
fn managed(statement: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
}

const SYNTAX: &str = "Syntax errors in policy.";
const LEGACY: &str = "The policy failed legacy parsing";

#[test]
fn identity_policies_in_the_order_of_the_checks() {
    let get = r#""Effect":"Allow","Action":"s3:GetObject","Resource":"*""#;
    let resource = |resource: &str| {
        format!(r#"{{"Effect":"Allow","Action":"s3:GetObject","Resource":{resource}}}"#)
    };
    let action = |action: &str| format!(r#"{{"Effect":"Allow","Action":{action},"Resource":"*"}}"#);
    let condition = |condition: &str| format!(r#"{{{get},"Condition":{condition}}}"#);
    let cases: Vec<(String, String)> = vec![
        ("nonsense".into(), SYNTAX.into()),
        ("[]".into(), SYNTAX.into()),
        (String::new(), SYNTAX.into()),
        (r#"{"Version":"2012-10-17"}"#.into(), SYNTAX.into()),
        (managed("[]"), SYNTAX.into()),
        (managed("[1]"), SYNTAX.into()),
        (format!(r#"{{"Version":"2013-10-17","Statement":{{{get}}}}}"#), SYNTAX.into()),
        (format!(r#"{{"Version":"2012-10-17","Statement":{{{get}}},"Extra":1}}"#), SYNTAX.into()),
        (format!(r#"{{"Version":"2012-10-17","Id":[],"Statement":{{{get}}}}}"#), SYNTAX.into()),
        (managed(&format!(r#"{{{get},"Extra":1}}"#)), SYNTAX.into()),
        (managed(&format!(r#"{{{get},"Sid":[]}}"#)), SYNTAX.into()),
        (managed(&format!(r#"{{{get},"NotAction":"s3:*"}}"#)), SYNTAX.into()),
        (managed(&format!(r#"{{{get},"NotResource":[]}}"#)), SYNTAX.into()),
        (managed(r#"{"Effect":"maybe","Action":"s3:*","Resource":"*"}"#), SYNTAX.into()),
        (managed(r#"{"Action":"s3:*","Resource":"*"}"#), SYNTAX.into()),
        (managed(&action("{}")), SYNTAX.into()),
        (managed(&action("[[]]")), SYNTAX.into()),
        (managed(&resource(r#"["x",{}]"#)), SYNTAX.into()),
        (managed(&condition("[]")), SYNTAX.into()),
        (managed(&condition(r#"{"StringEquals":"x"}"#)), SYNTAX.into()),
        (managed(&condition(r#"{"StringEquals":{"aws:username":{}}}"#)), SYNTAX.into()),
        (managed(&condition(r#"{"StringSame":{"aws:username":"x"}}"#)), SYNTAX.into()),
        (managed(&condition(r#"{"ForAnyValue::StringEquals":{"aws:username":"x"}}"#)), SYNTAX.into()),
        (managed(&condition(r#"{"NullIfExists":{"aws:username":"true"}}"#)), SYNTAX.into()),
        // The version comes before what follows.
        (r#"{"Statement":{"Effect":"denY","Action":"s3:*","Resource":"*"}}"#.into(), "Policy document must be version 2012-10-17 or greater.".into()),
        (format!(r#"{{"Version":"2008-10-17","Statement":{{{get}}}}}"#), "Policy document must be version 2012-10-17 or greater.".into()),
        (managed(r#"{"Effect":"denY","Action":"s3:*","Resource":"*"}"#), LEGACY.into()),
        (managed(&condition(r#"{"DateLessThan":{"aws:CurrentTime":"yesterday"}}"#)), LEGACY.into()),
        (managed(&condition(r#"{"DateLessThan":{"aws:CurrentTime":"9223372036854775808"}}"#)), LEGACY.into()),
        (managed(&resource(r#""arn:aws:s3::bucket""#)), LEGACY.into()),
        (managed(&resource(r#""arn:aws::::bucket""#)), LEGACY.into()),
        (managed(r#"{"Effect":"Allow","Resource":"arn:aws:s3::bucket"}"#), LEGACY.into()),
        (managed(r#"[{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"a","Effect":"Allow"}]"#), "Statement IDs (SID) in a single policy must be unique.".into()),
        (managed(r#"{"Effect":"Allow"}"#), "Policy statement must contain actions.".into()),
        (managed(r#"{"Effect":"Allow","Action":[],"Resource":"nothing"}"#), "Policy statement must contain actions.".into()),
        (managed(&resource(r#""nothing""#)), "Resource nothing must be in ARN format or \"*\".".into()),
        (managed(&resource(r#""""#)), "Resource  must be in ARN format or \"*\".".into()),
        (managed(&resource(r#""a:b:c:d:e:f:g:h""#)), "Partition \"b\" is not valid for resource \"arn:b:c:d:e:f:g:h\".".into()),
        (managed(&resource(r#""a:b:c""#)), "Partition \"b\" is not valid for resource \"arn:b:c:*:*:*\".".into()),
        (managed(&resource(r#""a:b""#)), "Partition \"b\" is not valid for resource \"arn:b:*:*:*:*\".".into()),
        (managed(&resource(r#""aws:s3:::bucket""#)), "Partition \"s3\" is not valid for resource \"arn:s3:::bucket:*\".".into()),
        (managed(&resource(r#"["arn:b:s3:::y","arn:b:s3::x"]"#)), "Partition \"b\" is not valid for resource \"arn:b:s3:::y\".".into()),
        (managed(&resource(r#""arn:aws""#)), "Resource vendor must be fully qualified and cannot contain regexes.".into()),
        (managed(&resource(r#""arn:aws:*:::x""#)), "Resource vendor must be fully qualified and cannot contain regexes.".into()),
        (managed(&resource(r#""arn:aws:s3:us-east-1::bucket""#)), "Resource arn:aws:s3:us-east-1::bucket can not contain region information.".into()),
        (managed(&resource(r#""arn:aws:iam:us-east-1::role/x""#)), "IAM resource arn:aws:iam:us-east-1::role/x cannot contain region information.".into()),
        (managed(&resource(r#""arn:aws:iam::111122223333:roles/x""#)), "IAM resource path must either be \"*\", root, or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.".into()),
        // A resource wins over an action.
        (managed(r#"{"Effect":"Allow","Action":"a:b:c","Resource":"nothing"}"#), "Resource nothing must be in ARN format or \"*\".".into()),
        (managed(&action(r#""GetObject""#)), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".into()),
        (managed(&action(r#""""#)), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".into()),
        (managed(&action(r#""s3:Get:Object""#)), "Actions/Condition can contain only one colon.".into()),
        (managed(&action(r#""s 3:GetObject""#)), "Vendor s 3 is not valid".into()),
        (managed(r#"{"Effect":"Allow","Action":"s3:*"}"#), "Policy statement must contain resources.".into()),
        (managed(r#"{"Effect":"Allow","Action":"s3:*","Resource":[]}"#), "Policy statement must contain resources.".into()),
        (managed(&format!(r#"{{{get},"Principal":"*"}}"#)), "Policy document should not specify a principal.".into()),
        (managed(&format!(r#"{{{get},"NotPrincipal":{{"AWS":"*"}}}}"#)), "Policy document should not specify a principal.".into()),
    ];
    for (text, wanted) in cases {
        assert_eq!(refusal(&text, DocumentKind::Identity), wanted, "{text}");
    }
}

#[test]
fn what_aws_accepts_without_complaint() {
    let resources = [
        "*",
        "arn:aws:s3:::b",
        "arn:aws:nowhere",
        "arn:aws:s33:::b",
        "arn:aws:ec2:us-east-1::x",
        "arn:aws-cn:s3:::b",
        "arn:aws:iam::*:user/${aws:username}",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:*",
    ];
    let mut statements: Vec<String> = resources
        .iter()
        .map(|resource| {
            format!(r#"{{"Effect":"Allow","Action":"s3:GetObject","Resource":"{resource}"}}"#)
        })
        .collect();
    for action in [
        "*",
        "*:*",
        "nowhere:Nothing",
        "s3-x.y:List",
        "iam: white space ",
    ] {
        statements.push(format!(
            r#"{{"Effect":"Deny","Action":"{action}","Resource":"*"}}"#
        ));
    }
    for condition in [
        "{}",
        r#"{"Nonsense":{}}"#,
        r#"{"DateLessThan":{}}"#,
        r#"{"DateLessThan":{"a":[]}}"#,
        r#"{"DateLessThan":{"a":"-292275054"}}"#,
        r#"{"ForAnyValue:StringEqualsIfExists":{"a":"b"}}"#,
        r#"{"Bool":{"aws:SecureTransport":false},"NumericLessThan":{"s3:max-keys":10}}"#,
    ] {
        statements.push(format!(
            r#"{{"Effect":"Allow","NotAction":"s3:*","NotResource":"*","Condition":{condition}}}"#
        ));
    }
    statements.push(r#"[{"Sid":"","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"","Effect":"Allow","Action":"s3:*","Resource":"*"}]"#.into());
    for statement in statements {
        assert_eq!(
            refusal(&managed(&statement), DocumentKind::Identity),
            "accepted",
            "{statement}"
        );
    }
    let without_version =
        r#"{"Id":"x","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
    assert_eq!(refusal(without_version, DocumentKind::Inline), "accepted");
    assert_eq!(refusal(without_version, DocumentKind::Session), "accepted");
}

#[test]
fn trust_policies() {
    let trust =
        |statement: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{{{statement}}}]}}"#);
    let principal = |principal: &str| {
        trust(&format!(
            r#""Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole""#
        ))
    };
    let action = |action: &str| {
        trust(&format!(
            r#""Effect":"Allow","Principal":{{"Service":"pods.eks.amazonaws.com"}},"Action":{action}"#
        ))
    };
    let only_sts = "AssumeRole policy may only specify STS AssumeRole actions.";
    let cases = [
        (
            "{\"Version\": ".to_owned(),
            "This policy contains invalid Json",
        ),
        (action(r#""*""#), only_sts),
        (action(r#""s3:GetObject""#), only_sts),
        (action(r#""sts:GetCallerIdentity""#), only_sts),
        (
            trust(
                r#""Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"NotAction":"sts:TagSession""#,
            ),
            only_sts,
        ),
        (
            trust(
                r#""Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":"sts:AssumeRole","Resource":"*""#,
            ),
            "Has prohibited field Resource",
        ),
        (
            trust(
                r#""Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":"sts:AssumeRole","NotResource":"*""#,
            ),
            "AssumeRole policy must not contain resources.",
        ),
        (
            principal(r#""*""#),
            "AssumeRolepolicy contained an invalid principal: \"STAR\":\"*\".",
        ),
        (
            principal("{}"),
            "Missing required field Principal cannot be empty!",
        ),
        (
            principal(r#"{"AWS":"arn:aws:iam::111122223333:role/*"}"#),
            "Invalid principal in policy: \"AWS\":\"arn:aws:iam::111122223333:role/*\"",
        ),
        (
            principal(r#"{"AWS":"app"}"#),
            "Invalid principal in policy: \"AWS\":\"app\"",
        ),
        (
            principal(r#"{"Service":"eks"}"#),
            "Invalid principal in policy: \"SERVICE\":\"eks\"",
        ),
        (
            principal(r#"{"Federated":"oidc"}"#),
            "Invalid principal in policy: \"FEDERATED\":\"oidc\"",
        ),
        (
            trust(r#""Effect":"Allow","Action":"sts:AssumeRole""#),
            "Missing required field Principal",
        ),
        (
            trust(r#""Effect":"Allow","NotPrincipal":{"AWS":"*"},"Action":"sts:AssumeRole""#),
            "Allow with NotPrincipal is not allowed.",
        ),
        (
            trust(r#""Effect":"Deny","NotPrincipal":{"AWS":"*"},"Action":"sts:AssumeRole""#),
            "AssumeRole policy must not contain NotPrincipal field.",
        ),
        (
            r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
            "Could not parse the policy: Statement is empty!",
        ),
        (
            trust(r#""Principal":{"AWS":"*"},"Action":"sts:AssumeRole""#),
            "Missing required field Effect",
        ),
        (
            trust(r#""Effect":"Allow","Principal":{"AWS":"*"}"#),
            "Missing required field Action",
        ),
        (
            r#"{"Version":"2020-01-01","Statement":[]}"#.to_owned(),
            "The policy must contain a valid version string",
        ),
        (
            trust(
                r#""Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringSame":{"a":"b"}}"#,
            ),
            "Syntax error in policy.",
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(refusal(&text, DocumentKind::Trust), wanted, "{text}");
    }
    let doubled = r#""Sid":"a","Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole""#;
    let text = trust(&format!("{doubled}}},{{{doubled}"));
    assert_eq!(
        refusal(&text, DocumentKind::Trust),
        "The Statement Ids in the policy are not unique"
    );
    for text in [
        action(r#"["sts:AssumeRole","sts:TagSession"]"#),
        action(r#""sts:*""#),
        action(r#""STS:assumerole*""#),
        principal(r#"{"AWS":"*"}"#),
        principal(
            r#"{"AWS":["111122223333","arn:aws:iam::111122223333:root","arn:aws:iam::111122223333:role/team/app"]}"#,
        ),
        principal(r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/app/s"}"#),
        principal(r#"{"AWS":"AROAEXAMPLEEXAMPLE123"}"#),
        principal(
            r#"{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/A"}"#,
        ),
        principal(r#"{"Federated":"cognito-identity.amazonaws.com"}"#),
    ] {
        assert_eq!(refusal(&text, DocumentKind::Trust), "accepted", "{text}");
    }
}

#[test]
fn the_developer_gets_the_place() {
    let text = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{\n    \"Effect\": \"Allow\",\n    \"Principle\": {\"AWS\": \"*\"}\n  }]\n}";
    let error = Document::parse(text, DocumentKind::Trust).expect_err("a misspelt key");
    assert_eq!(
        (error.line, error.column, error.fault),
        (5, 5, PolicyFault::Syntax)
    );
    assert_eq!(
        error.developer_text(),
        "line 5, column 5, Statement[0].Principle: unknown key \"Principle\"; did you mean \"Principal\"?"
    );
    let error =
        Document::parse("{\"Version\":\n 2012}", DocumentKind::Identity).expect_err("a number");
    assert_eq!(
        error.developer_text(),
        "line 2, column 2, Version: expected a string, found a number"
    );
    let error = Document::parse("{", DocumentKind::Trust).expect_err("half a document");
    assert_eq!(
        error.developer_text(),
        "line 1, column 2: expected a key in double quotes, found the end of the document"
    );
}

#[test]
fn text_size_and_principals_are_kept() {
    let text = "{ \"Version\": \"2012-10-17\",\n\"Statement\": { \"Effect\": \"Allow\", \"Principal\": {\"AWS\": [\"arn:aws:iam::111122223333:role/a\", \"arn:aws:iam::111122223333:user/b\"], \"Service\": \"ec2.amazonaws.com\"}, \"Action\": \"sts:AssumeRole\" } }";
    let document = Document::parse(text, DocumentKind::Trust).expect("valid");
    assert_eq!(document.text(), text);
    assert_eq!(
        document.size(),
        text.chars().filter(|char| !char.is_whitespace()).count()
    );
    let pinned = document.pin_principals(|arn| arn.ends_with("/a").then(|| "AROAGONE".to_owned()));
    let named: Vec<_> = pinned
        .principals()
        .map(|named| (named.value.clone(), named.id))
        .collect();
    assert_eq!(named[0].1.as_deref(), Some("AROAGONE"));
    assert_eq!(named[1], ("arn:aws:iam::111122223333:user/b".into(), None));
    assert_eq!(named[2].0, "ec2.amazonaws.com");
    let printed = pinned.text_with_principals(|named| named.id.clone());
    assert_eq!(
        printed,
        text.replace("arn:aws:iam::111122223333:role/a", "AROAGONE")
    );
    let (start, end) = pinned.statement_place(0).expect("one statement");
    assert_eq!((start.line, start.column, end.line), (2, 14, 2));
}
