from langfuse import get_client
langfuse = get_client()
# 创建文本类型 Prompt
langfuse.create_prompt(
name="movie-critic",
prompt="作为一个{{expertise_level}}的影评人,请评价电影《{{movie_name}}》",
labels=["production"], # 标签:production, staging, latest
config={
"model": "gpt-4",
"temperature": 0.7
}
)
from langfuse import get_client
from openai import OpenAI
langfuse = get_client()
client = OpenAI()
# 获取生产环境的 Prompt
prompt = langfuse.get_prompt("movie-critic", label="production")
# 编译 Prompt(替换变量)
compiled_prompt = prompt.compile(
expertise_level="专业",
movie_name="盗梦空间"
)
# 使用编译后的 Prompt
response = client.chat.completions.create(
model=prompt.config.get("model", "gpt-4"),
temperature=prompt.config.get("temperature", 0.7),
messages=[{"role": "user", "content": compiled_prompt}]
)
print(response.choices[0].message.content)
# 获取特定版本
prompt_v1 = langfuse.get_prompt("movie-critic", version=1)
# 获取特定标签
prompt_prod = langfuse.get_prompt("movie-critic", label="production")
# 获取最新版本
prompt_latest = langfuse.get_prompt("movie-critic", label="latest")
