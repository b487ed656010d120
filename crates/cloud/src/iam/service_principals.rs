//! The names of AWS services as principals.

/// Docs: the names services document for their roles. A name that is none of them is refused by IAM (snapshot).
const KNOWN: &[&str] = &[
    "access-analyzer", "acm", "acm-pca", "airflow", "airflow-env", "amplify", "apigateway", "appflow",
    "application-autoscaling", "apprunner", "appsync", "arc-zonal-shift", "athena", "auditmanager", "autoscaling",
    "backup", "batch", "bedrock", "bedrock-agentcore", "budgets", "build.apprunner", "cassandra", "chime",
    "chatbot", "cloud9", "cloudformation", "cloudfront", "cloudhsm", "cloudsearch", "cloudtrail", "cloudwatch",
    "codeartifact", "codebuild", "codecommit", "codedeploy", "codepipeline", "codestar-notifications",
    "cognito-identity", "cognito-idp", "cognito-sync", "config", "connect", "controltower", "databrew",
    "datapipeline", "datasync", "dax", "delivery.logs", "diode", "directconnect", "dlm", "dms", "docdb-elastic",
    "ds", "dynamodb", "ec2", "ec2.application-autoscaling", "ec2fleet", "ec2scheduled", "ecr", "ecs",
    "ecs-tasks", "ecs.application-autoscaling", "edgelambda", "eks", "eks-fargate", "eks-fargate-pods",
    "eks-nodegroup", "elasticache", "elasticbeanstalk", "elasticfilesystem", "elasticloadbalancing",
    "elasticmapreduce", "elastictranscoder", "emr-containers", "emr-serverless", "es", "events",
    "export.rds", "finspace", "firehose", "fis", "fms", "forecast", "freertos", "fsx", "gamelift", "glue",
    "grafana", "greengrass", "guardduty", "health", "iam", "imagebuilder", "inspector", "inspector2", "iot",
    "iotanalytics", "iotevents", "iotsitewise", "ivs", "kafka", "kafkaconnect", "kendra", "kinesis",
    "kinesisanalytics", "kms", "lakeformation", "lambda", "lex", "lexv2", "lightsail", "logger.cloudfront",
    "logs", "macie", "maintenance.ssm", "mediaconvert", "medialive", "mediapackage", "mediastore", "mgn",
    "monitoring", "monitoring.rds", "mq", "network-firewall", "oam", "omics", "ops.apigateway", "opensearchservice",
    "opsworks", "opsworks-cm", "organizations", "osis-pipelines", "outposts", "personalize", "pinpoint",
    "pipes", "pods.eks", "polly", "pricing", "qbusiness", "quicksight", "ram", "rds", "redshift",
    "redshift-serverless", "rekognition", "replication.dynamodb", "replicator.lambda", "resource-groups",
    "robomaker", "rolesanywhere", "route53", "route53resolver", "s3", "s3express", "sagemaker", "scheduler",
    "schemas", "secretsmanager", "securityhub", "serverlessrepo", "servicecatalog", "servicediscovery", "ses",
    "shield", "signer", "sms", "snow-device-management", "sns", "spot", "spotfleet", "sqs", "ssm",
    "ssm-incidents", "sso", "states", "storagegateway", "streams.metrics.cloudwatch", "sts", "support", "swf",
    "synthetics", "tagpolicies.tag", "tasks.apprunner", "textract", "timestream", "transcribe", "transfer",
    "transitgateway", "translate", "trustedadvisor", "vmie", "vpc-flow-logs", "vpc-lattice", "waf", "wafv2",
    "workdocs", "worklink", "workmail", "workspaces", "workspaces-web", "xray",
];

/// Whether a service goes by this name: `<service>.amazonaws.com`, `<service>.<region>.amazonaws.com`, and the same
/// under `amazonaws.com.cn`. Docs: lower case only.
pub(super) fn is_known(name: &str) -> bool {
    let Some(service) = name.strip_suffix(".amazonaws.com").or_else(|| name.strip_suffix(".amazonaws.com.cn")) else {
        return false;
    };
    let regional = service.rsplit_once('.').filter(|(_, region)| is_region(region)).map(|(service, _)| service);
    KNOWN.contains(&service) || regional.is_some_and(|service| KNOWN.contains(&service))
}

/// `us-east-1`, `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    (3..=4).contains(&parts.len())
        && parts.last().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        && parts[..parts.len() - 1].iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_slips_are_not_known() {
        for name in ["pods.eks.amazonaws.com", "ec2.amazonaws.com", "states.us-east-1.amazonaws.com", "ec2.amazonaws.com.cn"] {
            assert!(is_known(name), "{name}");
        }
        for name in ["pod.eks.amazonaws.com", "pods.eks.amazonaws.com.", "Pods.eks.amazonaws.com", "pods.eks.aws", "ec2"] {
            assert!(!is_known(name), "{name}");
        }
    }
}
