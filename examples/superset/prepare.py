"""What Superset's own interpreter does once for a home: the words of its pages, and two people.

Run by start.py, in the environment of Superset. Passwords are read from files, never from a command line.
"""

import json
import sys
from importlib.resources import files
from pathlib import Path

OURS = {
    "Sign in": "登录",
    "Enter your login and password below:": "请输入用户名与密码：",
    "Username": "用户名",
    "Username:": "用户名：",
    "Password:": "密码：",
    "Filters and controls": "筛选",
    "Filters": "筛选",
    "Apply filters": "应用筛选",
    "Clear all": "全部清除",
    "Add or edit filters and controls": "添加或编辑筛选",
    "No filter": "不限",
    "%s option": "%s 个选项",
    "entries per page": "条/页",
    "Show": "显示",
    "Search %s records": "在 %s 条中搜索",
    "%s records...": "%s 条",
    "N/A": "—",
}


def words(home: Path) -> None:
    """The Chinese that is shipped without its guesses: those are often of another sentence."""
    from babel.messages.pofile import read_po

    folder = files("superset") / "translations" / "zh" / "LC_MESSAGES"
    with (folder / "messages.po").open("rb") as file:
        guesses = {one.id if isinstance(one.id, str) else one.id[0] for one in read_po(file) if one.id and one.fuzzy}
    pack = json.loads((folder / "messages.json").read_text(encoding="utf-8"))
    known = pack["locale_data"]["superset"]
    pack["locale_data"]["superset"] = {key: told for key, told in known.items() if key not in guesses} | {
        key: [told, told] for key, told in OURS.items()
    }
    (home / "words-zh.json").write_text(json.dumps(pack, ensure_ascii=False), encoding="utf-8")


def people(home: Path) -> None:
    """Who arranges it (admin), and who looks (kan): every chart of the warehouse, and nothing of the house."""
    from superset.app import create_app

    app = create_app()
    with app.app_context():
        rights = app.appbuilder.sm
        viewer = rights.add_role("minhu_bi")
        # the second: values that a filter proposes
        may = ("all_database_access", "all_database_access"), ("can_get_column_values", "Datasource")
        for what, of in may:
            rights.add_permission_role(viewer, rights.add_permission_view_menu(what, of))
        for name, roles in (("admin", ["Admin"]), ("kan", ["Gamma", "minhu_bi"])):
            password = (home / f"{name}-password").read_text(encoding="utf-8").strip()
            if not rights.find_user(name):
                given = [rights.find_role(role) for role in roles]
                rights.add_user(name, "民呼", name, f"{name}@localhost", given, password=password)


if __name__ == "__main__":
    {"words": words, "people": people}[sys.argv[1]](Path(sys.argv[2]))
