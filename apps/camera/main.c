/* hawser-camera: the reference device. It streams a media file in real time and serves files to
 * every session. With --watch it is the other side: an app that stores what a camera streams. Both
 * need libavformat, which no other program of this project does. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/log.h>

#include "apps/camera/camera.h"
#include "apps/camera/source.h"
#include "apps/camera/watch.h"
#include "apps/common/host.h"
#include "apps/common/say.h"

#define LABEL "camera"

struct arguments {
    struct options common;
    const char *source, *files;
    int64_t sessions_max, file_max_mib;
    bool loop, pair;
    struct watch watch;
};

/* With --watch it is an app: other options apply. */
static bool asks_to_watch(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--watch") || !strncmp(argv[i], "--watch=", 8) ||
            !strncmp(argv[i], "-w", 2))
            return true;
    return false;
}

static int parse_watch(struct arguments *a, int argc, char **argv)
{
    const struct option_rule rules[] = {
        { "watch", 'w', OPTION_TEXT, &a->watch.id, 0, 0, "ID  watch this camera" },
        { "out", 'o', OPTION_TEXT, &a->watch.out, 0, 0, "FILE  store the stream" },
        { "duration", 0, OPTION_NUMBER, &a->watch.duration_s, 1, INT_MAX, "S  end after so long" },
        { "get", 0, OPTION_TEXT, &a->watch.get, 0, 0, "FILE  fetch this file meanwhile" },
        { "get-as", 0, OPTION_TEXT, &a->watch.get_as, 0, 0, "FILE  where --get stores it" },
    };
    const struct options_spec spec = {
        .usage = "--watch ID --out FILE [OPTIONS]",
        .about = "Connects to a camera and stores what it streams, unchanged. \"hawser watch ID\"\n"
                 "is the same.",
        .rules = rules,
        .count = COUNT(rules),
    };

    return options_parse(&a->common, &spec, argc, argv);
}

static int parse_camera(struct arguments *a, int argc, char **argv)
{
    const struct option_rule rules[] = {
        { "source", 's', OPTION_TEXT, &a->source, 0, 0, "FILE  stream this video or audio" },
        { "loop", 'l', OPTION_FLAG, &a->loop, 0, 0, "begin again at its end" },
        { "files", 'f', OPTION_TEXT, &a->files, 0, 0,
          "DIR  serve files from here, store them here" },
        { "file-max", 0, OPTION_NUMBER, &a->file_max_mib, 0, 1 << 30,
          "MIB  largest upload (4096)" },
        { "pair", 'p', OPTION_FLAG, &a->pair, 0, 0, "print a pairing line and its QR code" },
        { "max-sessions", 0, OPTION_NUMBER, &a->sessions_max, 1, HOST_SESSIONS_MAX,
          "N  viewers at once (8)" },
        { "label", 0, OPTION_TEXT, &a->common.label, 0, 0,
          "LABEL  use the key of this label (camera)" },
        { "as", 0, OPTION_TEXT, &a->common.label, 0, 0, "LABEL  the same" },
    };
    const struct options_spec spec = {
        .usage = "--source FILE [OPTIONS]",
        .about = "Streams a file in real time, as a camera would, to every app that is paired and\n"
                 "connects. --watch makes it such an app: \"hawser watch --help\".",
        .rules = rules,
        .count = COUNT(rules),
        .side = OPTIONS_DEVICE,
    };

    return options_parse(&a->common, &spec, argc, argv);
}

static int usage(const char *what)
{
    say_error("%s; --help tells more", what);
    return EXIT_CODE_USAGE;
}

/* One clear line now is better than a refusal to every viewer later. */
static int check_source(const char *path)
{
    static const enum record_media kinds[] = { RECORD_VIDEO, RECORD_AUDIO };
    char why[SOURCE_WHY_MAX];
    bool any = false;

    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct source *source;
        int error = source_open(&source, path, kinds[i], why);

        if (error == SOURCE_FAILED)
            return say_error("%s", why);
        any = any || !error;
        source_close(source);
    }
    return any ? EXIT_CODE_OK : say_error("%s: neither video nor audio in it", path);
}

static int be_camera(const struct arguments *a)
{
    struct camera camera = { .source = a->source,
                             .loop = a->loop,
                             .files = -1,
                             .file_max = (uint64_t)a->file_max_mib << 20 };
    struct host host = {
        .serve = camera_serve, .ctx = &camera, .sessions_max = (int)a->sessions_max, .pair = a->pair
    };
    int code = check_source(a->source);

    if (code)
        return code;
    if (a->files) {
        camera.files = open(a->files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (camera.files < 0)
            return say_error("--files %s: %s", a->files, strerror(errno));
    }
    code = host_run(&host, &a->common, a->common.label ? a->common.label : LABEL);
    if (camera.files >= 0)
        close(camera.files);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments a = { .sessions_max = 8, .file_max_mib = 4096 };
    bool watches = asks_to_watch(argc, argv);
    int first = watches ? parse_watch(&a, argc, argv) : parse_camera(&a, argc, argv);

    if (first < 0)
        return options_exit(first);
    av_log_set_level(a.common.verbose > 1 ? AV_LOG_INFO : AV_LOG_FATAL);
    if (!a.source && !a.watch.id)
        return usage("either --source or --watch is needed");
    if (!a.watch.get != !a.watch.get_as)
        return usage("--get and --get-as go together");
    return watches ? watch_run(&a.watch, &a.common) : be_camera(&a);
}
