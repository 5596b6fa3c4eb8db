"""The table of controls: which requirement of PCI DSS v4.0.1 is met by what, how that is checked, what must be noticed.

`tests/policy/test_controls.py` runs it, and `docs/controls.md` is written from it. A module a subject; a row more is an
entry in one of their `CONTROLS`.
"""

from synthesized.controls import access, detection, encryption, hardening, logs, monitoring, network, transit

SUBJECTS = (network, hardening, encryption, transit, access, logs, monitoring, detection)
CONTROLS = tuple(control for subject in SUBJECTS for control in subject.CONTROLS)

NOT_MET_BY_CODE = {
    "6.4.3": (
        "scripts on the payment page",
        "who builds the shop's pages: inventory, reason and integrity of each script",
    ),
    "8.4": (
        "multi-factor authentication of people",
        "who runs the identity provider and the accounts' sign-in; of 8.4.2 the code keeps shells out of tasks",
    ),
    "9": (
        "physical access",
        "AWS for its data centres, which its own attestation says; the company for offices and devices",
    ),
    "11.4": (
        "penetration tests",
        "the security team, yearly and after significant changes, with testers of its choice",
    ),
    "11.6.1": ("changes of the payment page as customers get it", "who builds the shop's pages, weekly or oftener"),
    "12": (
        "policies, training, risk, incident response",
        "the company's management; of 12.3.4, 12.10.1 and 12.10.5 the code does the part above",
    ),
}
"""What no code here can meet: what it is about, and who must."""
