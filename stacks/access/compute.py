"""Grants for compute: images, tasks, functions, state machines, schedules and event rules."""

from stacks.access.grants import Grant, Scope

COMPUTE: tuple[Grant, ...] = (
    Grant(
        "Images",
        "ecr",
        "CreateRepository DeleteLifecyclePolicy DeleteRepository DeleteRepositoryPolicy "
        "PutImageScanningConfiguration PutImageTagMutability PutLifecyclePolicy SetRepositoryPolicy TagResource "
        "UntagResource",
        "repository/{ours}*",
        reads="DescribeRepositories GetLifecyclePolicy GetRepositoryPolicy ListTagsForResource",
    ),
    Grant(
        "Containers",
        "ecs",
        "CreateCluster CreateService DeleteCluster DeleteService PutClusterCapacityProviders TagResource "
        "UntagResource UpdateCluster UpdateService",
        "cluster/{ours}* service/{ours}*/{ours}* task-definition/{ours}*:*",
        reads="DescribeClusters DescribeServices DescribeTaskDefinition",
    ),
    Grant("Task", "ecs", "RegisterTaskDefinition", scope=Scope.REQUEST_TAGS),
    Grant("OldTask", "ecs", "DeregisterTaskDefinition"),
    Grant(
        "MakeScaling",
        "application-autoscaling",
        "RegisterScalableTarget TagResource",
        "scalable-target/*",
        Scope.REQUEST_TAGS,
    ),
    Grant(
        "Scaling",
        "application-autoscaling",
        "DeleteScalingPolicy DeregisterScalableTarget PutScalingPolicy RegisterScalableTarget TagResource "
        "UntagResource",
        "scalable-target/*",
        Scope.RESOURCE_TAGS,
        reads="DescribeScalableTargets DescribeScalingPolicies ListTagsForResource",
    ),
    Grant(
        "Functions",
        "lambda",
        "AddPermission CreateFunction DeleteFunction RemovePermission TagResource UntagResource UpdateFunctionCode "
        "UpdateFunctionConfiguration",
        "function:{ours}*",
    ),
    # Whoever rotates a secret must be allowed to invoke its function.
    Grant("Rotation", "lambda", "InvokeFunction", "function:{ours}rotation"),
    Grant(
        "Schedules",
        "scheduler",
        "CreateSchedule DeleteSchedule UpdateSchedule",
        "schedule/default/{ours}credential-age",
    ),
    Grant(
        "Workflows",
        "states",
        "CreateStateMachine DeleteStateMachine TagResource UntagResource UpdateStateMachine",
        "stateMachine:{ours}*",
        reads="DescribeStateMachine ListStateMachineVersions ListTagsForResource ValidateStateMachineDefinition",
    ),
    Grant(
        "Events",
        "events",
        "DeleteRule PutRule PutTargets RemoveTargets TagResource UntagResource",
        "rule/{ours}*",
        reads="DescribeRule ListTagsForResource ListTargetsByRule",
    ),
)
