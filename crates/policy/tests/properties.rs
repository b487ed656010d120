//! What holds for every document and every request, tried on seeded random ones.

use emu_policy::{
    Context, Decision, Document, DocumentKind, Policies, Policy, PolicyFault, Principal, Request,
    Verdict, decide, evaluate,
};

const KINDS: [DocumentKind; 6] = [
    DocumentKind::Identity,
    DocumentKind::Inline,
    DocumentKind::Trust,
    DocumentKind::Session,
    DocumentKind::Resource,
    DocumentKind::Boundary,
];

/// Splitmix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const WORDS: [&str; 44] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"Version\"",
    "\"2012-10-17\"",
    "\"2008-10-17\"",
    "\"Statement\"",
    "\"Effect\"",
    "\"Allow\"",
    "\"Deny\"",
    "\"Principal\"",
    "\"NotPrincipal\"",
    "\"AWS\"",
    "\"Service\"",
    "\"Federated\"",
    "\"*\"",
    "\"Action\"",
    "\"NotAction\"",
    "\"Resource\"",
    "\"NotResource\"",
    "\"Condition\"",
    "\"StringLike\"",
    "\"ForAllValues:ArnLike\"",
    "\"DateLessThanIfExists\"",
    "\"Null\"",
    "\"sts:AssumeRole\"",
    "\"s3:*\"",
    "\"arn:aws:s3:::b/${aws:x, 'y'}\"",
    "\"${\"",
    "\"ü\\u00fc\"",
    "\"arn:a:\"",
    "null",
    "true",
    "1e9",
    "-0",
    "\"\\ud800\"",
    " ",
    "\n",
    "\"",
    "\\",
    "\u{0}",
];

/// Random words, or a valid document with a piece cut out, doubled or replaced.
fn scrap(random: &mut Random) -> String {
    if random.below(2) == 0 {
        return (0..random.below(40)).map(|_| random.pick(&WORDS)).collect();
    }
    let statement = statement(random, "Principal");
    let mut text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    for _ in 0..1 + random.below(3) {
        let mut cut = || {
            let mut at = random.below(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (a, b) = (cut(), cut());
        let (start, end) = (a.min(b), a.max(b));
        let replacement = if random.below(2) == 0 {
            String::new()
        } else {
            random.pick(&WORDS).to_owned()
        };
        if end - start < 20 {
            text.replace_range(start..end, &replacement);
        } else {
            text.insert_str(start, &replacement);
        }
    }
    text
}

fn statement(random: &mut Random, principal: &str) -> String {
    let effect = if random.below(5) == 0 {
        "Deny"
    } else {
        "Allow"
    };
    let principals = match principal {
        "" => String::new(),
        name => {
            let who = random.pick(&[
                "*",
                "111122223333",
                "arn:aws:iam::111122223333:role/app",
                "arn:aws:sts::111122223333:assumed-role/app/s",
            ]);
            format!(r#""{name}":{{"AWS":"{who}"}},"#)
        }
    };
    let action = random.pick(&["s3:*", "*", "s3:Get*", "s3:PutObject", "ec2:*"]);
    let resource = random.pick(&[
        "*",
        "arn:aws:s3:::b/*",
        "arn:aws:s3:::b/${aws:username}/*",
        "arn:aws:s3:::c",
    ]);
    let condition = random.pick(&[
        "",
        r#","Condition":{"StringEquals":{"aws:username":["ann","bob"]}}"#,
        r#","Condition":{"StringNotLike":{"aws:username":"a*"},"Bool":{"aws:SecureTransport":"true"}}"#,
        r#","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["x"]}}"#,
    ]);
    format!(
        r#"{{"Effect":"{effect}",{principals}"Action":"{action}","Resource":"{resource}"{condition}}}"#
    )
}

fn policy(random: &mut Random, kind: DocumentKind) -> Policy {
    let principal = if kind == DocumentKind::Resource {
        "Principal"
    } else {
        ""
    };
    let statements: Vec<String> = (0..1 + random.below(3))
        .map(|_| statement(random, principal))
        .collect();
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
        statements.join(",")
    );
    Policy::new(
        "p",
        Document::parse(&text, kind).unwrap_or_else(|error| panic!("{error}\n{text}")),
    )
}

fn request(random: &mut Random) -> Request {
    let mut context = Context::new();
    if random.below(2) == 0 {
        context.set("aws:username", random.pick(&["ann", "bob", "eve"]));
    }
    if random.below(2) == 0 {
        context.set("aws:SecureTransport", random.below(2) == 0);
    }
    if random.below(2) == 0 {
        context.set("aws:TagKeys", vec![random.pick(&["x", "y"]).to_owned()]);
    }
    Request {
        principal: match random.below(4) {
            0 => Principal::User {
                arn: "arn:aws:iam::111122223333:user/ann".into(),
                id: "AIDA".into(),
            },
            1 => Principal::Service {
                name: "s3.amazonaws.com".into(),
            },
            _ => Principal::RoleSession {
                role_arn: "arn:aws:iam::111122223333:role/app".into(),
                role_id: "AROA".into(),
                session_arn: "arn:aws:sts::111122223333:assumed-role/app/s".into(),
            },
        },
        action: random
            .pick(&["s3:GetObject", "s3:PutObject", "ec2:RunInstances"])
            .into(),
        resource: random
            .pick(&[
                "arn:aws:s3:::b/k",
                "arn:aws:s3:::b/ann/k",
                "arn:aws:s3:::c",
                "*",
            ])
            .into(),
        resource_account: random
            .pick(&["111122223333", "111122223333", "444455556666"])
            .into(),
        context,
    }
}

fn policies(random: &mut Random) -> Policies {
    Policies {
        identity: (0..random.below(3))
            .map(|_| policy(random, DocumentKind::Inline))
            .collect(),
        boundary: (random.below(3) == 0).then(|| policy(random, DocumentKind::Boundary)),
        session: (0..random.below(2))
            .map(|_| policy(random, DocumentKind::Session))
            .collect(),
        resource: (random.below(2) == 0).then(|| policy(random, DocumentKind::Resource)),
        ..Policies::default()
    }
}

const ROUNDS: u64 = 2000;

#[test]
fn no_text_makes_the_parser_panic() {
    let mut accepted = 0;
    for seed in 0..ROUNDS {
        let text = scrap(&mut Random(seed));
        for kind in KINDS {
            match Document::parse(&text, kind) {
                Ok(document) => {
                    accepted += 1;
                    assert_eq!(document.text(), text);
                    let policies = Policies {
                        resource: Some(Policy::new("p", document)),
                        ..Policies::default()
                    };
                    let verdict = decide(&request(&mut Random(seed)), &policies);
                    assert!(!verdict.explain().is_empty());
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty() && !error.developer_text().is_empty());
                    assert!(error.line >= 1 && error.column >= 1);
                }
            }
        }
    }
    assert!(accepted > 50, "some scraps stay valid: {accepted}");
}

#[test]
fn json_is_refused_where_serde_refuses_it() {
    for seed in 0..ROUNDS {
        let text = scrap(&mut Random(seed));
        let ours = match Document::parse(&text, DocumentKind::Trust) {
            // A key given twice is the one thing that only we refuse.
            Err(error) if error.detail.contains("stands twice") => continue,
            Err(error) => error.fault != PolicyFault::Json,
            Ok(_) => true,
        };
        let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        assert_eq!(ours, theirs, "{text}");
    }
}

#[test]
fn both_ways_of_deciding_agree_and_verdicts_survive_json() {
    for seed in 0..ROUNDS {
        let random = &mut Random(seed);
        let (request, policies) = (request(random), policies(random));
        let verdict = decide(&request, &policies);
        assert_eq!(
            evaluate(&request, &policies),
            (verdict.decision, verdict.decided_by)
        );
        let json = serde_json::to_string(&verdict).expect("serialises");
        assert_eq!(
            serde_json::from_str::<Verdict>(&json).expect("reads back"),
            verdict
        );
        assert_eq!(verdict.is_allowed(), verdict.reason_text().is_empty());
        assert_eq!(verdict.is_allowed(), verdict.cause().is_none());
    }
}

fn allowed(request: &Request, policies: &Policies) -> bool {
    evaluate(request, policies).0 == Decision::Allow
}

#[test]
fn a_matching_deny_wins_whatever_else_allows() {
    let deny =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    let deny_all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}"#;
    for seed in 0..ROUNDS {
        let random = &mut Random(seed);
        let (request, mut policies) = (request(random), policies(random));
        let document =
            |text, kind| Policy::new("deny", Document::parse(text, kind).expect("valid"));
        match random.below(4) {
            0 if request.principal.account().is_some() => {
                policies.identity.push(document(deny, DocumentKind::Inline));
            }
            1 if request.principal.account().is_some() => {
                policies.boundary = Some(document(deny, DocumentKind::Boundary));
            }
            2 if request.principal.account().is_some() => {
                policies.session.push(document(deny, DocumentKind::Session));
            }
            _ => policies.resource = Some(document(deny_all, DocumentKind::Resource)),
        }
        assert_eq!(
            evaluate(&request, &policies).0,
            Decision::ExplicitDeny,
            "seed {seed}"
        );
    }
}

#[test]
fn limits_never_widen() {
    let mut narrowed = 0;
    for seed in 0..ROUNDS {
        let random = &mut Random(seed);
        let (request, policies) = (request(random), policies(random));
        let before = allowed(&request, &policies);
        let mut limited = policies.clone();
        match random.below(4) {
            // The first session policy limits; a second one joins the union and may widen it.
            0 if policies.session.is_empty() => {
                limited.session.push(policy(random, DocumentKind::Session));
            }
            1 if policies.boundary.is_none() => {
                limited.boundary = Some(policy(random, DocumentKind::Boundary));
            }
            2 => limited
                .scps
                .push(vec![policy(random, DocumentKind::Inline)]),
            _ => limited
                .rcps
                .push(vec![policy(random, DocumentKind::Resource)]),
        }
        let after = allowed(&request, &limited);
        assert!(before || !after, "seed {seed}: a limit widened");
        narrowed += usize::from(before && !after);
    }
    assert!(narrowed > 25, "limits do bite: {narrowed}");
}

#[test]
fn an_allow_statement_never_narrows() {
    for seed in 0..ROUNDS {
        let random = &mut Random(seed);
        let (request, policies) = (request(random), policies(random));
        let mut more = policies.clone();
        let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        more.identity.push(Policy::new(
            "all",
            Document::parse(all, DocumentKind::Identity).expect("valid"),
        ));
        assert!(
            !allowed(&request, &policies) || allowed(&request, &more),
            "seed {seed}"
        );
    }
}

#[test]
fn the_order_of_policies_does_not_matter() {
    for seed in 0..ROUNDS {
        let random = &mut Random(seed);
        let (request, mut policies) = (request(random), policies(random));
        let before = evaluate(&request, &policies);
        policies.identity.reverse();
        assert_eq!(before, evaluate(&request, &policies), "seed {seed}");
    }
}
