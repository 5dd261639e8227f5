# Prompts in all generations of the Python SDK: written, fetched, compiled, moved, cached, missing, linked to a call.
import json
import sys

import langfuse as package

name = sys.argv[1]
if hasattr(package, "get_client"):
    langfuse = package.get_client()
else:
    langfuse = package.Langfuse()

created = langfuse.create_prompt(
    name=name,
    prompt="作为{{level}}影评人,请评价《{{movie}}》",
    labels=["production"],
    tags=["films"],
    config={"model": "gpt-4o", "temperature": 0.7},
    commit_message="第一版",
)
langfuse.create_prompt(name=name, prompt="Critic v2 of {{movie}}", labels=["staging"])
first = langfuse.get_prompt(name)
got = {
    "created": [created.name, created.version, created.labels, created.config, created.commit_message],
    "first": [first.version, first.compile(level="专业", movie="盗梦空间"), first.config, first.tags],
    "variables": sorted(first.variables) if hasattr(first, "variables") else None,
    "langchain": first.get_langchain_prompt(),
    "by version": langfuse.get_prompt(name, version=2).prompt,
    "by label": langfuse.get_prompt(name, label="staging").version,
    "latest": langfuse.get_prompt(name, label="latest").version,
    "cached": langfuse.get_prompt(name, cache_ttl_seconds=300).version,
}
moved = langfuse.update_prompt(name=name, version=2, new_labels=["production"])
got["moved"] = [moved["version"] if isinstance(moved, dict) else moved.version]
got["after the move"] = langfuse.get_prompt(name, cache_ttl_seconds=0).version

history = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "你好"}]
# Generation 2 has no placeholders yet.
has_placeholders = hasattr(package, "get_client")
chat = f"{name}/对话"
langfuse.create_prompt(
    name=chat,
    type="chat",
    prompt=[
        {"role": "system", "content": "You are a {{level}} critic."},
        *([{"type": "placeholder", "name": "history"}] if has_placeholders else history),
        {"role": "user", "content": "{{question}}"},
    ],
    labels=["production"],
)
talk = langfuse.get_prompt(chat, type="chat")
messages = talk.compile(level="kind", question="And?", **({"history": history} if has_placeholders else {}))
got["chat"] = [{"role": each["role"], "content": each["content"]} for each in messages if "role" in each]
got["chat langchain"] = len(talk.get_langchain_prompt())

fallback = langfuse.get_prompt("nobody-" + name, fallback="Plain {{movie}}")
got["fallback"] = [fallback.is_fallback, fallback.compile(movie="M")]
try:
    langfuse.get_prompt("nobody-" + name, max_retries=1)  # with 0, generation 2 never stops trying
    got["missing"] = "was found"
except Exception as error:
    got["missing"] = str(error)

prompt = langfuse.get_prompt(name, version=1)
if hasattr(langfuse, "start_as_current_observation"):
    with langfuse.start_as_current_observation(name="critic", as_type="generation", model="gpt-4o", prompt=prompt):
        pass
else:
    langfuse.trace(name="critic").generation(name="critic", model="gpt-4o", prompt=prompt, output="好").end()
langfuse.flush()
print(json.dumps(got, ensure_ascii=False))
