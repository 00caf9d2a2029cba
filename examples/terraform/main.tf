# Roles, policies, keys and an inference profile on a Craton server, by Terraform's AWS provider, unmodified.
#
#   eval "$(craton env)"
#   export TF_VAR_endpoint="$AWS_ENDPOINT_URL"
#   terraform init && terraform apply
#   terraform plan        # No changes.

terraform {
  required_providers { aws = { source = "hashicorp/aws", version = "~> 5.100" } }
}
variable "endpoint" {
  type    = string
  default = "http://127.0.0.1:8765"
}
provider "aws" {
  region = "us-east-1"
  endpoints {
    iam     = var.endpoint
    sts     = var.endpoint
    kms     = var.endpoint
    bedrock = var.endpoint
    s3      = var.endpoint
  }
  s3_use_path_style = true
}
data "aws_caller_identity" "me" {}
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = [data.aws_caller_identity.me.account_id]
    }
  }
}
data "aws_iam_policy_document" "models" {
  statement {
    sid     = "TwoModels"
    actions = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
    resources = [
      "arn:aws:bedrock:*::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
      "arn:aws:bedrock:*::foundation-model/amazon.titan-text-express-v1",
    ]
  }
}
resource "aws_iam_role" "analysts" {
  name                 = "analysts"
  path                 = "/teams/"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 7200
  tags                 = { team = "analysts" }
  permissions_boundary = aws_iam_policy.boundary.arn
}
resource "aws_iam_policy" "models" {
  name   = "two-models"
  policy = data.aws_iam_policy_document.models.json
  tags   = { team = "analysts" }
}
resource "aws_iam_policy" "boundary" {
  name   = "boundary"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "bedrock:*", Resource = "*" }] })
}
resource "aws_iam_role_policy_attachment" "models" {
  role       = aws_iam_role.analysts.name
  policy_arn = aws_iam_policy.models.arn
}
resource "aws_iam_role_policy" "inline" {
  name   = "inline"
  role   = aws_iam_role.analysts.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Deny", Action = "bedrock:InvokeModel", Resource = "*", Condition = { StringNotEquals = { "aws:RequestedRegion" = "us-east-1" } } }] })
}
resource "aws_iam_user" "ci" {
  name = "ci"
  tags = { kind = "robot" }
}
resource "aws_iam_access_key" "ci" { user = aws_iam_user.ci.name }
resource "aws_iam_group" "robots" { name = "robots" }
resource "aws_iam_group_policy_attachment" "robots" {
  group      = aws_iam_group.robots.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonBedrockReadOnly"
}
resource "aws_iam_user_group_membership" "ci" {
  user   = aws_iam_user.ci.name
  groups = [aws_iam_group.robots.name]
}
resource "aws_kms_key" "k" {
  description             = "prompts"
  enable_key_rotation     = true
  deletion_window_in_days = 7
}
resource "aws_kms_alias" "k" {
  name          = "alias/prompts"
  target_key_id = aws_kms_key.k.key_id
}
resource "aws_bedrock_inference_profile" "team" {
  name = "team-a"
  model_source { copy_from = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0" }
  tags = { team = "a" }
}
data "aws_bedrock_foundation_models" "all" {}
output "models" { value = length(data.aws_bedrock_foundation_models.all.model_summaries) }
