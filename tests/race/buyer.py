"""A buyer with a cookie jar, on one keep-alive connection."""

import http.client
import re
from http.cookies import SimpleCookie
from urllib.parse import urlencode


class Buyer:
    def __init__(self, port: int, name: str) -> None:
        self.name = name
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookies: dict[str, str] = {}
        self.fields: dict[str, str] = {}

    def look(self, path: str) -> str:
        """Open a page and remember what its first form would send."""
        html = self._ask("GET", path)[1]
        form = re.search(r"<form[^>]*method=\"post\".*?</form>", html, re.S)
        if form:
            inputs = re.findall(r"<input[^>]*name=\"([^\"]+)\"[^>]*value=\"([^\"]*)\"", form[0])
            self.fields = dict(inputs)
        return html

    def book(self, path: str) -> tuple[int, str]:
        """Press Book."""
        return self.post(path)

    def post(self, path: str) -> tuple[int, str]:
        """Send the remembered form elsewhere."""
        return self._ask("POST", path, self.fields)

    def confirm(self) -> tuple[int, str]:
        """Give name and address on the second screen, and press Confirm."""
        self.look("/race/checkout")
        fields = {**self.fields, "name": self.name, "email": f"{self.name.lower()}@example.com"}
        return self._ask("POST", "/race/checkout", fields)

    def close(self) -> None:
        self.connection.close()

    def _ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[int, str]:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request(method, path, urlencode(fields) if fields else None, headers)
        answer = self.connection.getresponse()
        body = answer.read().decode()
        for line in answer.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer.status, body
