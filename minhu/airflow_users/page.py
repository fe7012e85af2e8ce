"""The page that asks for a login and its password: plain HTML, Chinese first, without a script."""

from html import escape
from urllib.parse import urlencode

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def render(target: str, *, wrong: str = "", name: str = "", has_sign_on: bool = False) -> str:
    """``target``: where to go once inside; ``wrong``: why it did not work; ``name``: what was given as the login."""
    way = f"oidc?{urlencode({'next': target})}" if target else "oidc"
    sign_on = f'<a class=way href="{escape(way)}">用统一身份认证登录 <small>single sign-on</small></a>'
    return _HTML.format(
        wrong=f"<p class=bad role=alert>{escape(wrong)}</p>" if wrong else "",
        name=escape(name),
        target=escape(target),
        on_name="" if name else " autofocus",
        on_password=" autofocus" if name else "",
        sign_on=sign_on if has_sign_on else "",
    )


_HTML = """<!doctype html>
<html lang="zh-CN">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>登录 · 民呼 Airflow</title>
<style>
* {{ box-sizing: border-box; }}
body {{
  margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  background: #f3f4f6; color: #1a1a1a; font: 16px/1.6 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif;
}}
main {{ width: min(26rem, 100%); padding: 2rem; background: #fff; border: 1px solid #d4d7dc; border-radius: 6px; }}
h1 {{ font-size: 1.4rem; margin: 0; }}
small {{ color: #5a6068; font-weight: normal; font-size: .85em; }}
p {{ margin: .25rem 0 1.25rem; color: #5a6068; font-size: .9rem; }}
p small {{ display: block; }}
p.bad {{ color: #8f0000; background: #fdeeee; border-left: 4px solid #a40000; padding: .5rem .75rem; font-size: 1rem; }}
label {{ display: block; margin-bottom: 1rem; }}
input, button, a.way {{ display: block; width: 100%; font: inherit; padding: .55rem .7rem; border-radius: 4px; }}
input {{ border: 1px solid #868d96; }}
button {{ border: 0; background: #0b57a4; color: #fff; cursor: pointer; }}
button:hover {{ background: #084380; }}
button small {{ color: inherit; }}
a.way {{ margin-top: .75rem; border: 1px solid #0b57a4; color: #0b57a4; text-align: center; text-decoration: none; }}
:focus-visible {{ outline: 3px solid #f0a500; outline-offset: 1px; }}
@media (max-width: 30rem) {{ main {{ padding: 1.25rem; }} }}
</style>
<main>
<h1>民呼 · 调度 <small>Airflow</small></h1>
<p>用您自己的数据库登录名和密码。<small>Your own login of the database.</small></p>
{wrong}
<form method="post" action="login">
<input type="hidden" name="next" value="{target}">
<label>登录名 <small>login</small>
<input name="username" value="{name}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="63"
 required{on_name}></label>
<label>密码 <small>password</small>
<input name="password" type="password" autocomplete="current-password" required{on_password}></label>
<button>登录 <small>log in</small></button>
</form>
{sign_on}
</main>
</html>
"""
