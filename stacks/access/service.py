"""What a deployment changes of what runs: tasks, functions, workflows, and what starts them."""

from stacks.access.grants import Grant, Known

SERVICE: tuple[Grant, ...] = (
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
    Grant("Task", "ecs", "RegisterTaskDefinition", known=Known.BY_TAGS_ASKED),
    Grant("OldTask", "ecs", "DeregisterTaskDefinition"),
    Grant(
        "MakeScaling",
        "application-autoscaling",
        "RegisterScalableTarget TagResource",
        "scalable-target/*",
        Known.BY_TAGS_ASKED,
    ),
    Grant(
        "Scaling",
        "application-autoscaling",
        "DeleteScalingPolicy DeregisterScalableTarget PutScalingPolicy RegisterScalableTarget TagResource "
        "UntagResource",
        "scalable-target/*",
        Known.BY_TAGS,
        reads="DescribeScalableTargets DescribeScalingPolicies ListTagsForResource",
    ),
    Grant(
        "Functions",
        "lambda",
        "AddPermission CreateFunction DeleteFunction RemovePermission TagResource UntagResource UpdateFunctionCode "
        "UpdateFunctionConfiguration",
        "function:{ours}*",
    ),
    Grant(
        "Schedules",
        "scheduler",
        "CreateSchedule DeleteSchedule UpdateSchedule",
        "schedule/default/{ours}*",
        reads="GetSchedule",
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
