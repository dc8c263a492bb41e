from django.conf import settings
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from guestbook.models import Entry


@require_GET
def index(request):
    return render(request, "index.html", {"entries": Entry.objects.all()[:50], "release": settings.RELEASE_SHA[:12],
                                          "environment": settings.ENVIRONMENT})


@require_POST
def add(request):
    text = request.POST.get("text", "").strip()
    if not 0 < len(text) <= 200:
        return HttpResponse("an entry has 1 to 200 characters\n", status=400, content_type="text/plain")
    Entry.objects.create(text=text)
    return redirect("index")


@require_GET
def entries(request):
    return JsonResponse({"entries": list(Entry.objects.values("id", "text")[:50])})


@require_GET
def release(request):
    return JsonResponse({"sha": settings.RELEASE_SHA, "environment": settings.ENVIRONMENT})


@require_GET
def healthz(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")
