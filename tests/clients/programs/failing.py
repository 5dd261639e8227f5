from langfuse.openai import openai

try:
    openai.OpenAI(max_retries=0).chat.completions.create(
        model="broken-model", messages=[{"role": "user", "content": "这个调用会失败"}]
    )
except openai.RateLimitError as error:
    print("refused:", error.status_code)
