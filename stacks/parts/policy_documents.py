"""Policy statements as Terraform's `aws_iam_policy_document` data source."""

from cdktf_cdktf_provider_aws.data_aws_iam_policy_document import (
    DataAwsIamPolicyDocument,
    DataAwsIamPolicyDocumentStatement,
    DataAwsIamPolicyDocumentStatementCondition,
    DataAwsIamPolicyDocumentStatementPrincipals,
)
from constructs import Construct

from stacks.statements import Statement


def policy_document(scope: Construct, id: str, *statements: Statement) -> str:
    """Create the data source and return its JSON."""
    return DataAwsIamPolicyDocument(scope, id, statement=list(map(_render, statements))).json


def _render(statement: Statement) -> DataAwsIamPolicyDocumentStatement:
    principal = statement.principal
    return DataAwsIamPolicyDocumentStatement(
        sid=statement.sid,
        effect=statement.effect,
        actions=list(statement.actions),
        resources=None if statement.not_resources else list(statement.resources),
        not_resources=list(statement.not_resources) or None,
        principals=principal
        and [DataAwsIamPolicyDocumentStatementPrincipals(type=principal.type, identifiers=list(principal.identifiers))],
        condition=[
            DataAwsIamPolicyDocumentStatementCondition(test=test, variable=variable, values=list(values))
            for test, variable, values in statement.conditions
        ]
        or None,
    )
