from langfuse import observe
from langfuse.openai import openai


@observe()
def story():
    return (
        openai.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "What is Langfuse?"}],
        )
        .choices[0]
        .message.content
    )


@observe()
def main():
    return story()


main()
