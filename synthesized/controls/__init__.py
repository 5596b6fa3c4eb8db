"""Controls: how the stacks meet PCI DSS v4.0.1, with checks that verify it and mutations that must fail the checks.

`tests/policy/test_controls.py` runs the checks, and `docs/controls.md` is generated from the table. There is one module
per subject; to add a control, add an entry to its `CONTROLS`.
"""

from synthesized.controls import access, detection, encryption, hardening, logs, monitoring, network, transit

SUBJECTS = (network, hardening, encryption, transit, access, logs, monitoring, detection)
CONTROLS = tuple(control for subject in SUBJECTS for control in subject.CONTROLS)

NOT_MET_BY_CODE = {
    "6.4.3": (
        "scripts on the payment page",
        "the shop's front-end team: inventory, justification and integrity of each script",
    ),
    "8.3": (
        "passwords of people: length, history, expiry",
        "the operators of the identity provider and of the account's password policy; for 8.3.1, 8.3.2 and 8.3.9, the "
        "code covers the platform's own credentials",
    ),
    "8.4": (
        "multi-factor authentication of people",
        "the operators of the identity provider and of sign-in to the accounts; for 8.4.2, the code disables shells in "
        "tasks",
    ),
    "9": (
        "physical access",
        "AWS for its data centers, under its own attestation; the company for offices and devices",
    ),
    "11.4": (
        "penetration tests",
        "the security team, yearly and after significant changes",
    ),
    "11.6.1": (
        "change detection on the payment page as customers receive it",
        "the shop's front-end team, at least weekly",
    ),
    "12": (
        "policies, training, risk, incident response",
        "the company's management; the controls above cover the code's part of 12.3.4, 12.10.1 and 12.10.5",
    ),
}
"""Requirements that this code cannot meet: the subject, and who is responsible."""
