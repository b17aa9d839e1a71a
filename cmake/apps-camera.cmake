# hawser-camera: the only program that links FFmpeg's libraries.
pkg_check_modules(FFMPEG REQUIRED IMPORTED_TARGET libavformat libavcodec libavutil)

file(GLOB APPS_CAMERA_SOURCES CONFIGURE_DEPENDS apps/camera/*.c)
list(REMOVE_ITEM APPS_CAMERA_SOURCES ${CMAKE_SOURCE_DIR}/apps/camera/main.c)
add_library(apps-media STATIC ${APPS_CAMERA_SOURCES})
target_link_libraries(apps-media PUBLIC apps-common PkgConfig::FFMPEG)

if(TARGET hawser)
    add_executable(hawser-camera apps/camera/main.c)
    target_link_libraries(hawser-camera PRIVATE apps-media apps-public)
endif()
